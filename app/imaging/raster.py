"""JPEG, PNG, TIFF, BMP and WebP through Pillow, one picture a file."""

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from app.imaging import jpeg, png, tiff, webp
from app.imaging.picture import (
    NOT_FINITE,
    DamagedPicture,
    Picture,
    PictureError,
    Pixels,
    UnknownType,
    UnusablePicture,
    Work,
    bands,
    check_size,
)

PHOTOMETRIC, SAMPLE_FORMAT = 262, 339  # TIFF tags
MIN_IS_WHITE, UNSIGNED = 0, 1
NOTES = {"exif", "xmp"}  # where a picture says how it was held; looking takes a fifth of a small one's time
TINY_BYTES, TINY_PIXELS = 16 * 1024, 128 * 128  # decoded in at most 0.3 ms
LITTLE_BYTES, LITTLE_PIXELS = 2**20, 4_000_000  # in at most 50 ms and 40 MB
PLAIN_SCANS = 4  # and perhaps a thumbnail among them
PACKED = {b"zTXt", b"iTXt", b"iCCP", b"acTL"}  # chunks of a PNG that may hold much more than they seem to
MODES = {1: "L", 3: "RGB"}  # by the number of colours
SPACES = {"L": "GRAY", "RGB": "RGB"}  # Pillow's name and simplejpeg's

# What can be known before Pillow looks: how much work is promised, and whether all of the picture is there.
CHECKS: dict[str, Callable[[bytes, int], jpeg.Jpeg | None]] = {"JPEG": jpeg.check, "PNG": png.check, "WEBP": webp.check}

# Pillow warns from 89 million pixels and fails at twice that; our own limit comes from the header and is lower.
Image.MAX_IMAGE_PIXELS = None


def work(data: bytes, format: str | None) -> Work:
    """How much it is to decode `data`, by its own structure."""
    with suppress(struct.error, ValueError):
        if len(data) <= LITTLE_BYTES and (pixels := _plain_pixels(data, format)) <= LITTLE_PIXELS:
            return Work.TINY if len(data) <= TINY_BYTES and pixels <= TINY_PIXELS else Work.LITTLE
    return Work.UNKNOWN


def _plain_pixels(data: bytes, format: str | None) -> int:
    """Of a baseline JPEG, or a PNG that nothing else is packed into. Raises struct.error or ValueError."""
    if format == "JPEG" and (frame := jpeg.read_header(data)).baseline and frame.scans <= PLAIN_SCANS:
        return frame.width * frame.height
    if format == "PNG" and not png.read_names(data) & PACKED:
        width, height = struct.unpack_from(">2I", data, 16)
        return int(width * height)
    raise ValueError("not plain")


@dataclass(frozen=True, slots=True)
class Unread:
    """A file whose header is read and within the limits, its pixels not yet."""

    data: bytes
    image: Image.Image

    @property
    def pixels(self) -> int:
        return self.image.width * self.image.height

    def read(self, at_least: int | None = None) -> Picture:
        """The picture; only a JPEG is read smaller."""
        with _judging(self.image.format or ""), self.image as image:
            format, mode = image.format or "", image.mode
            if at_least:
                image.draft(None, (at_least, at_least))
            return Picture(_grey(_complete(self.data, image) if format == "JPEG" else image, format), format, mode)

    def frames(self) -> Iterator[Picture]:
        yield self.read()


@dataclass(frozen=True, slots=True)
class PlainJpeg:
    """One that needs nothing of Pillow, whose way to a small one's pixels takes longer than they do."""

    data: bytes
    header: jpeg.Jpeg

    @property
    def pixels(self) -> int:
        return self.header.width * self.header.height

    def read(self, at_least: int | None = None) -> Picture:
        mode = MODES[self.header.colors]
        with _judging("JPEG"):
            size = self.header.shrunk(at_least) if at_least else (0, 0)
            if (pixels := jpeg.decode(self.data, SPACES[mode], *size)) is None:
                return _open(self.data, "JPEG", self.pixels).read(at_least)
            grey = pixels[:, :, 0] if mode == "L" else _grey(Image.fromarray(pixels), "JPEG")
            return Picture(grey, "JPEG", mode)

    def frames(self) -> Iterator[Picture]:
        yield self.read()


def open(data: bytes, format: str, max_pixels: int) -> Unread | PlainJpeg:
    """Read the header of `data` with the one parser `format` names. Raises PictureError and nothing else."""
    with _judging(format):
        header = CHECKS[format](data, max_pixels) if format in CHECKS else None
        if isinstance(header, jpeg.Jpeg) and header.plain and header.colors in MODES:
            return PlainJpeg(data, header)
        return _open(data, format, max_pixels)


def _open(data: bytes, format: str, max_pixels: int) -> Unread:
    image = Image.open(io.BytesIO(data), formats=[format])
    check_size(*image.size, max_pixels)
    _check_single(image)
    if format == "TIFF":
        tiff.check(data, image.tag_v2)  # type: ignore[attr-defined]
    if format == "BMP" and image.tile[0].codec_name == "bmp_rle":  # Pillow decodes it in Python, damaged or not
        raise UnknownType("A BMP in run-length encoding is not read.")
    return Unread(data, image)


@contextmanager
def _judging(format: str) -> Iterator[None]:
    """Hostile bytes make Pillow's parsers raise nearly every built-in there is; all of it means damage."""
    try:
        yield
    except (PictureError, MemoryError):
        raise
    except Exception as error:
        raise DamagedPicture(f"The {format} file is damaged or cut short.") from error


def _check_single(image: Image.Image) -> None:
    if image.format == "TIFF":
        try:
            image.seek(1)
        except EOFError:
            image.seek(0)
            return
    elif not getattr(image, "is_animated", False):
        return
    raise UnusablePicture("The file holds several pages or an animation; send one picture.")


def _complete(data: bytes, image: Image.Image) -> Image.Image:
    """A JPEG decoded at the size of `image`; by Pillow, damaged or not, where it has four colours."""
    space = SPACES.get(image.mode)
    if space is None or (pixels := jpeg.decode(data, space, *image.size)) is None:
        return image
    decoded = Image.fromarray(pixels[:, :, 0] if space == "GRAY" else pixels)
    decoded.info = image.info
    return decoded


def _grey(image: Image.Image, format: str) -> Pixels:
    if format != "JPEG" or image.info.keys() & NOTES:
        _turn_upright(image)
    if image.mode == "F" or image.mode.startswith("I"):
        return _scaled(image)
    if image.mode == "L" and not image.has_transparency_data:
        return np.asarray(image)
    strips = (image.crop((0, rows.start, image.width, rows.stop)) for rows in bands(image.height, image.width))
    return np.concatenate([_flattened(strip) for strip in strips])


def _flattened(image: Image.Image) -> Pixels:
    """Colours to grey, on black: what is not there is background."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    return np.asarray(image.getchannel("L") if image.mode == "LAB" else image.convert("L"))


def _turn_upright(image: Image.Image) -> None:
    with suppress(SyntaxError, struct.error, ValueError, TypeError, KeyError):
        ImageOps.exif_transpose(image, in_place=True)  # broken notes about a picture do not spoil its pixels


def _scaled(image: Image.Image) -> Pixels:
    """More than eight bits to eight: 16 bit by its declared depth, floats and 32 bit by their own range."""
    values = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    if image.mode == "I" and tags.get(SAMPLE_FORMAT, 0) == UNSIGNED:
        values = values.view(np.uint32)
    low, high = _range(values)
    pixels = np.concatenate([_stretched(values[rows], low, high) for rows in bands(*values.shape)])
    return 255 - pixels if tags.get(PHOTOMETRIC) == MIN_IS_WHITE else pixels


def _stretched(values: npt.NDArray[Any], low: float, high: float) -> Pixels:
    scaled = (values.astype(np.float64) - low) * (255 / ((high - low) or 1)) + 0.5
    return scaled.clip(0, 255).astype(np.uint8)


def _range(values: npt.NDArray[Any]) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if not isfinite(high - low):
        raise UnusablePicture(NOT_FINITE)
    if values.dtype.itemsize == 2:
        return 0.0, 4095.0 if high <= 4095 else 65535.0  # twelve bits are what scanners put into sixteen
    return low, high
