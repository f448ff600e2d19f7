"""Bytes to pixels. The one decoder: training and service both call it, so that they cannot drift apart."""

import numpy as np
from PIL import Image

from app.imaging import dicom, raster
from app.imaging.picture import (
    DamagedPicture,
    Header,
    Picture,
    PictureError,
    Pixels,
    TooManyPixels,
    UnknownType,
    UnusablePicture,
)

__all__ = [
    "MAX_FRAMES",
    "MAX_PIXELS",
    "RESAMPLE",
    "DamagedPicture",
    "Header",
    "Picture",
    "PictureError",
    "Pixels",
    "TooManyPixels",
    "UnknownType",
    "Unread",
    "UnusablePicture",
    "decode",
    "open",
    "to_input",
]

MAX_PIXELS, MAX_FRAMES = 40_000_000, 10_000
RESAMPLE = "squash-box"  # written into every bundle; a bundle made for another way of shrinking is refused


Unread = raster.Unread | dicom.Unread


def open(data: bytes, *, max_pixels: int = MAX_PIXELS, max_frames: int = MAX_FRAMES) -> Unread:
    """Read the header of one picture, judged by its content alone.

    Raises a PictureError: UnknownType, DamagedPicture, TooManyPixels or UnusablePicture.
    """
    if not data:
        raise UnusablePicture("The file is empty.")
    if dicom.sniff(data):
        return dicom.open(data, max_pixels, max_frames)
    format = raster.sniff(data)
    if format is None:
        raise UnknownType("The content is not a DICOM, JPEG, PNG, TIFF, BMP or WebP picture.")
    return raster.open(data, format, max_pixels)


def decode(data: bytes, at_least: int | None = None, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Header and pixels in one go. `at_least` and errors are those of `open` and `Unread.read`."""
    return open(data, max_pixels=max_pixels).read(at_least)


def to_input(picture: Picture, size: int) -> Pixels:
    """The model's view of a picture: squashed to a square with a box filter, (size, size, 1)."""
    pixels = picture.pixels
    if pixels.shape != (size, size):
        pixels = np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BOX))
    return pixels[:, :, np.newaxis]
