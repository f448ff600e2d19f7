"""JPEG through simplejpeg, and JPEG-LS's markers: what they promise, and the pixels if all of them are there."""

import re
from dataclasses import dataclass
from struct import unpack_from

from PIL import Image
from simplejpeg import decode_jpeg

from app.imaging import raster
from app.imaging.picture import ImageFile, Outline, Picture, Pixels, SizeLimits, TooMuchWork, as_damage, check_size

MAX_SCANS, MAX_SEGMENTS = 100, 4_000
BOUNDED_SCANS = 4  # one for each colour, and perhaps a thumbnail among them

MARKER = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")
START_OF_IMAGE, START_OF_SCAN = 0xD8, 0xDA  # the first has no length behind it
BASELINE = {0xC0, 0xC1}
FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # those that say how large a JPEG, or a JPEG-LS, is
BARE_MARKERS = {0xC0, 0xC1, 0xC4, 0xDB, 0xDD, 0xE0, 0xFE}  # baseline frames, tables, restarts, JFIF's own, comments

MODES = {1: "L", 3: "RGB"}  # Pillow's, by the number of colours
SPACES = {"L": "GRAY", "RGB": "RGB"}  # simplejpeg's, by Pillow's mode
HELD = {"exif", "xmp"}  # where a picture says how it was held; looking takes a fifth of a small one's time


@dataclass(frozen=True, slots=True)
class Jpeg(Outline):
    """A JPEG's own account of itself."""

    depth: int  # bits
    colors: int
    bare: bool  # nothing but what its pixels need: no notes, profiles, other pictures or ways to store colour


@dataclass(frozen=True, slots=True)
class JpegFile(ImageFile):
    """A JPEG whose header is within the limits."""

    data: bytes
    header: Jpeg
    limits: SizeLimits

    @as_damage("JPEG")
    def read(self, at_least: int | None = None) -> Picture:
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
        with raster.open(self.data, "JPEG", self.limits).image as image:
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
    return JpegFile(check_size(header.width, header.height, limits), data, header, limits)


def read_header(data: bytes) -> Jpeg:
    """Raises TooMuchWork, struct.error, or ValueError where no frame is."""
    at, frame, bare = 2, None, True
    for _ in range(MAX_SEGMENTS):
        if (found := MARKER.search(data, at)) is None or (marker := found[0][1]) == START_OF_SCAN:
            break
        at, bare = found.end(), bare and marker in BARE_MARKERS
        if marker in FRAME_MARKERS and frame is None:
            frame = (marker in BASELINE, *unpack_from(">B2HB", data, at + 2))
        if marker != START_OF_IMAGE:
            length = unpack_from(">H", data, at)[0]
            if length < 2:
                raise ValueError("a segment shorter than its own length")
            at += length
    else:
        raise TooMuchWork(f"The JPEG has more than {MAX_SEGMENTS:,} segments.")
    if frame is None:
        raise ValueError("no frame header")
    scans = data.count(b"\xff\xda")  # or some more: within a scan no such bytes stand, but in a note they may
    if scans > MAX_SCANS:
        raise TooMuchWork(f"The JPEG has more than {MAX_SCANS} scans.")
    baseline, depth, height, width, colors = frame
    bounded, bare = baseline and scans <= BOUNDED_SCANS, bare and depth == 8 and scans == 1
    return Jpeg(width, height, bounded, depth, colors, bare)


def decode(data: bytes, mode: str, width: int = 0, height: int = 0) -> Pixels | None:
    """Pixels (height, width) in mode "L" or (height, width, 3) in "RGB", at the smallest scale of at least these sides.

    Bit for bit those of Pillow, which would make up what is missing. None in another mode, and where simplejpeg does not
    know the layout: chroma shrunk in an unusual way. Raises ValueError.
    """
    if mode not in SPACES:
        return None
    try:
        pixels: Pixels = decode_jpeg(data, SPACES[mode], min_height=height, min_width=width)
    except ValueError as error:
        if "subsampling" not in str(error):
            raise
        return None
    return pixels[:, :, 0] if mode == "L" else pixels
