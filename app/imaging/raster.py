"""JPEG, PNG, TIFF, BMP and WebP through Pillow, one picture a file."""

import io
import struct
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from app.imaging.picture import DamagedPicture, Picture, PictureError, Pixels, UnusablePicture, check_size

SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",  # BigTIFF
    b"MM\0+": "TIFF",
    b"BM": "BMP",
}
PHOTOMETRIC, SAMPLE_FORMAT = 262, 339  # TIFF tags
MIN_IS_WHITE, UNSIGNED = 0, 1

# Pillow warns from 89 million pixels and fails at twice that; our own limit comes from the header and is lower.
Image.MAX_IMAGE_PIXELS = None


def sniff(data: bytes) -> str | None:
    """The format the first bytes announce, or None."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return next((name for signature, name in SIGNATURES.items() if data.startswith(signature)), None)


def read(data: bytes, format: str, at_least: int | None, max_pixels: int) -> Picture:
    """Decode `data` with the one parser `format` names. Raises PictureError and nothing else."""
    try:
        if format == "PNG":
            Image.open(io.BytesIO(data), formats=[format]).verify()  # decoding alone does not look at the checksums
        with Image.open(io.BytesIO(data), formats=[format]) as image:
            check_size(*image.size, max_pixels)
            _check_single(image)
            mode = image.mode
            if at_least:
                image.draft(None, (at_least, at_least))  # a JPEG alone can be decoded at a fraction of its size
            return Picture(_grey(image), format, mode)
    except (PictureError, MemoryError):
        raise
    except Exception as error:  # hostile bytes make Pillow's parsers raise nearly every built-in there is
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


def _grey(image: Image.Image) -> Pixels:
    _turn_upright(image)
    if image.mode == "F" or image.mode.startswith("I"):
        return _scaled(image)
    if image.has_transparency_data:  # what is not there is background, and background is black
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
    if not np.isfinite(values).all():
        raise UnusablePicture("The picture holds values that are not finite numbers.")
    low, high = _range(values)
    scaled = (values.astype(np.float64) - low) * (255 / ((high - low) or 1)) + 0.5
    pixels: Pixels = scaled.clip(0, 255).astype(np.uint8)
    return 255 - pixels if tags.get(PHOTOMETRIC) == MIN_IS_WHITE else pixels


def _range(values: npt.NDArray[Any]) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if values.dtype.itemsize == 2:
        return 0.0, 4095.0 if high <= 4095 else 65535.0  # twelve bits are what scanners put into sixteen
    return low, high
