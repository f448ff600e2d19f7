"""Bytes to pixels. The one decoder: training and service both call it, so that they cannot drift apart."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from app.imaging import raster
from app.imaging.picture import (
    DamagedPicture,
    Header,
    Picture,
    PictureError,
    Pixels,
    TooManyPixels,
    TooMuchWork,
    UnknownType,
    Unread,
    UnusablePicture,
    Work,
)
from app.imaging.signatures import DICOM, sniff

__all__ = [
    "MAX_FRAMES",
    "MAX_PIXELS",
    "RESAMPLE",
    "DamagedPicture",
    "Header",
    "Picture",
    "PictureError",
    "Pixels",
    "Seen",
    "TooManyPixels",
    "TooMuchWork",
    "UnknownType",
    "Unread",
    "UnusablePicture",
    "Work",
    "decode",
    "look",
    "look_through",
    "open",
    "to_input",
    "work",
]

MAX_PIXELS, MAX_FRAMES = 40_000_000, 10_000
RESAMPLE = "squash-box"  # written into every bundle; a bundle made for another way of shrinking is refused
ENOUGH = 2  # a JPEG is decoded at a fraction that leaves this many times the model's pixels a side

Seen = tuple[Pixels, Header | None]  # (size, size, 1), and what a DICOM says


def work(data: bytes) -> Work:
    """How much it is to decode `data`: what is not small and plain had better be done where it can be stopped."""
    return raster.work(data, sniff(data))


def open(data: bytes, *, max_pixels: int = MAX_PIXELS, max_frames: int = MAX_FRAMES) -> Unread:
    """Read the header of one picture, judged by its content alone.

    Raises a PictureError: UnknownType, DamagedPicture, TooManyPixels, TooMuchWork or UnusablePicture.
    """
    if not data:
        raise UnusablePicture("The file is empty.")
    format = sniff(data)
    if format == DICOM:
        from app.imaging import dicom  # here: pydicom takes 40 MB and 0.2 s, and many never meet a DICOM

        return dicom.open(data, max_pixels, max_frames)
    if format is None:
        raise UnknownType("The content is not a DICOM, JPEG, PNG, TIFF, BMP or WebP picture.")
    return raster.open(data, format, max_pixels)


def decode(data: bytes, at_least: int | None = None, **limits: int) -> Picture:
    """Header and pixels in one go. `at_least`, limits and errors are those of `open` and `Unread.read`."""
    return open(data, **limits).read(at_least)


def look(unread: Unread, size: int) -> Seen:
    """What a model of `size` pixels a side gets to see of a picture. Raises PictureError."""
    picture = unread.read(ENOUGH * size)
    return to_input(picture, size), picture.header


def look_through(unread: Unread, size: int) -> Iterator[Seen]:
    """The same of every frame."""
    for picture in unread.frames():
        yield to_input(picture, size), picture.header


def to_input(picture: Picture, size: int) -> Pixels:
    """The model's view of a picture: squashed to a square with a box filter, (size, size, 1)."""
    pixels = picture.pixels
    if pixels.shape != (size, size):
        pixels = np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BOX))
    return pixels[:, :, np.newaxis]
