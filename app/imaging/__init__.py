"""Bytes to pixels. The one decoder: training and service both call it, so that they cannot drift apart."""

import numpy as np
from PIL import Image

from app.imaging import raster
from app.imaging.picture import (
    DamagedPicture,
    Picture,
    PictureError,
    Pixels,
    TooManyPixels,
    UnknownType,
    UnusablePicture,
)

__all__ = [
    "MAX_PIXELS",
    "RESAMPLE",
    "DamagedPicture",
    "Picture",
    "PictureError",
    "Pixels",
    "TooManyPixels",
    "UnknownType",
    "UnusablePicture",
    "decode",
    "to_input",
]

MAX_PIXELS = 40_000_000
RESAMPLE = "squash-box"  # written into every bundle; a bundle made for another way of shrinking is refused


def decode(data: bytes, at_least: int | None = None, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read one picture, judged by its content alone.

    `at_least` lets a JPEG be decoded at a fraction of its size, as long as both sides keep that many pixels.
    Raises a PictureError: UnknownType, DamagedPicture, TooManyPixels or UnusablePicture.
    """
    if not data:
        raise UnusablePicture("The file is empty.")
    format = raster.sniff(data)
    if format is None:
        raise UnknownType("The content is not a JPEG, PNG, TIFF, BMP or WebP picture.")
    return raster.read(data, format, at_least, max_pixels)


def to_input(picture: Picture, size: int) -> Pixels:
    """The model's view of a picture: squashed to a square with a box filter, (size, size, 1)."""
    square = Image.fromarray(picture.pixels).resize((size, size), Image.Resampling.BOX)
    return np.asarray(square)[:, :, np.newaxis]
