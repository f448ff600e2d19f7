"""JPEG through simplejpeg: the pixels, if all of them are there."""

import io
from dataclasses import dataclass

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from simplejpeg import decode_jpeg

from app.imaging import jpeg_repair, raster
from app.imaging.jpeg_header import HIERARCHICAL, JPEG_LS, Jpeg, read_header
from app.imaging.picture import (
    ImageFile,
    Picture,
    Pixels,
    SizeLimits,
    UnknownType,
    Window,
    as_damage,
    check_size,
)

MAX_MENDS = 2  # decoding begins anew after each

MODES = {1: "L", 3: "RGB"}  # Pillow's, by the number of colours
SPACES = {"L": "GRAY", "RGB": "RGB"}  # simplejpeg's, by Pillow's mode
HELD = {"exif", "xmp"}  # where a picture says how it was held; looking takes a fifth of a small one's time


@dataclass(frozen=True, slots=True)
class JpegFile(ImageFile):
    """A JPEG whose header is within the limits."""

    data: bytes
    header: Jpeg
    limits: SizeLimits

    @as_damage("JPEG")
    def read(self, at_least: int | None = None, ct_window: Window | None = None) -> Picture:
        """The picture, without Pillow where it needs nothing of it: its way to a small one takes longer than the pixels."""
        header, mode = self.header, MODES.get(self.header.colors, "")
        if header.bare and mode:
            fits = min(header.width, header.height) // at_least if at_least else 1
            scale = 1 << min(8, max(1, fits)).bit_length() - 1  # JPEG knows 8, 4, 2 and 1
            pixels = decode(self.data, mode, -(-header.width // scale), -(-header.height // scale))
            if pixels is not None:
                return Picture(pixels if mode == "L" else raster.grey(Image.fromarray(pixels)), "JPEG", mode)
        return self._read_with_pillow(at_least)

    def _read_with_pillow(self, at_least: int | None) -> Picture:
        with JpegImageFile(io.BytesIO(self.data)) as image:  # Image.open would take a phone's MPO for an animation
            check_size(*image.size, self.limits)
            mode = image.mode
            if at_least:
                image.draft(None, (at_least, at_least))
            pixels = decode(self.data, mode, *image.size)
            decoded = image if pixels is None else Image.fromarray(pixels)
            decoded.info = image.info
            if image.info.keys() & HELD:
                raster.turn_upright(decoded)
            return Picture(raster.grey(decoded), "JPEG", mode)


@as_damage("JPEG")
def open(data: bytes, limits: SizeLimits, outline: Jpeg | None = None) -> ImageFile:
    """Raises PictureError."""
    header = outline or read_header(data)
    if header.depth > 8 or header.process in {JPEG_LS, *HIERARCHICAL}:
        raise UnknownType("JPEG of more than 8 bits, JPEG-LS and hierarchical JPEG are not read outside a DICOM.")
    return JpegFile(check_size(header.width, header.height, limits), data, header, limits)


def decode(data: bytes, mode: str, width: int = 0, height: int = 0, mends: int = MAX_MENDS) -> Pixels | None:
    """Pixels (height, width) in mode "L" or (height, width, 3) in "RGB", at the smallest scale of at least these sides.

    Bit for bit those of Pillow, which would make up what is missing. None in another mode, and where simplejpeg does not
    know the layout: chroma shrunk in an unusual way. Raises ValueError, LookupError or struct.error.
    """
    if mode not in SPACES:
        return None
    try:
        pixels: Pixels = decode_jpeg(data, SPACES[mode], min_height=height, min_width=width)
    except ValueError as error:
        if "subsampling" in str(error):
            return None
        if not mends:
            raise
        return decode(jpeg_repair.mended(data, str(error)), mode, width, height, mends - 1)
    return pixels[:, :, 0] if mode == "L" else pixels
