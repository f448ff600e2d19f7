"""What Pillow reads, one picture a file, and how any of its images becomes grey."""

import io
import struct
from contextlib import suppress
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from app.imaging.picture import (
    NOT_FINITE,
    ImageFile,
    Picture,
    Pixels,
    SizeLimits,
    UnusablePicture,
    as_damage,
    bands,
    check_size,
)

PHOTOMETRIC, SAMPLE_FORMAT = 262, 339  # TIFF tags
MIN_IS_WHITE, UNSIGNED = 0, 1

# Pillow warns from 89 million pixels and fails at twice that; our own limit comes from the header and is lower.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True)
class RasterFile(ImageFile):
    """A file that Pillow reads, whole."""

    image: Image.Image

    def read(self, at_least: int | None = None) -> Picture:
        with as_damage(self.image.format or ""), self.image as image:
            format, mode = image.format or "", image.mode
            turn_upright(image)
            return Picture(grey(image), format, mode)


def open(data: bytes, format: str, limits: SizeLimits) -> RasterFile:
    """Read the header of `data` with the one parser `format` names. Raises what that makes of damage, and PictureError."""
    image = Image.open(io.BytesIO(data), formats=[format])
    pixels = check_size(*image.size, limits)
    _check_single(image)
    return RasterFile(pixels, image)


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


def grey(image: Image.Image) -> Pixels:
    """Raises UnusablePicture and what Pillow makes of damage."""
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


def turn_upright(image: Image.Image) -> None:
    """As it was held, says its file."""
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
