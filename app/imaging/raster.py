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
    Window,
    as_damage,
    bands,
    check_size,
)

SEVERAL = "The file holds several pages or an animation; send one picture."

# Pillow warns from 89 million pixels and fails at twice that; our own limit comes from the header and is lower.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True)
class RasterFile(ImageFile):
    """A file that Pillow reads, whole."""

    image: Image.Image

    def read(self, at_least: int | None = None, ct_window: Window | None = None) -> Picture:
        with as_damage(self.image.format or ""), self.image as image:
            format, mode = image.format or "", image.mode
            turn_upright(image)
            return Picture(grey(image), format, mode)


def open(data: bytes, format: str, limits: SizeLimits) -> RasterFile:
    """Read the header of `data` with the one parser `format` names. Raises what that makes of damage, and PictureError."""
    image = Image.open(io.BytesIO(data), formats=[format])
    size = check_size(*image.size, limits)
    if getattr(image, "is_animated", False):
        raise UnusablePicture(SEVERAL)
    return RasterFile(size, image)


def grey(image: Image.Image) -> Pixels:
    """Raises UnusablePicture and what Pillow makes of damage."""
    if image.mode.startswith("I"):
        return scaled(np.asarray(image))
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


def scaled(values: npt.NDArray[Any]) -> Pixels:
    """Numbers (height, width) to grey. Raises UnusablePicture.

    Unsigned ones of up to 16 bits: white is the largest number of as many bits as the largest of them has, and of at
    least 8. So 10, 12, 14 and 16 bits look as their writers mean them, whatever they lie in, a picture in 8 bits looks as
    it does in 16, and a dark one stays dark. Signed, 32 bit and real ones: from the smallest to the largest.
    """
    low, high = float(values.min()), float(values.max())
    if not isfinite(high - low):
        raise UnusablePicture(NOT_FINITE)
    if values.dtype.kind == "u" and values.itemsize <= 2:
        low, high = 0.0, 2.0 ** max(8, int(high).bit_length()) - 1
    return np.concatenate([_stretched(values[rows], low, high) for rows in bands(*values.shape)])


def _stretched(values: npt.NDArray[Any], low: float, high: float) -> Pixels:
    stretched = (values.astype(np.float64) - low) * (255 / ((high - low) or 1)) + 0.5
    return stretched.clip(0, 255).astype(np.uint8)
