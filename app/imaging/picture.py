"""The vocabulary of the ring: pixels, a picture, and the ways a file can fail to be one."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

MIN_SIDE = 16
NOT_FINITE = "The picture holds values that are not finite numbers."
BAND = 2**18  # pixels to work on at a time: what lies between stored values and grey takes many bytes for each


class PictureError(ValueError):
    """A file that gives no picture. Its message is one plain sentence, safe to show to a stranger."""


class UnknownType(PictureError):
    """The content is no format we read."""


class DamagedPicture(PictureError):
    """The content claims a format and then breaks its rules."""


class TooManyPixels(PictureError):
    """The header promises more pixels or frames than the limit."""


class TooMuchWork(PictureError):
    """Decoding takes more parts, time or memory than one picture may ask for."""


class UnusablePicture(PictureError):
    """A sound file that holds no single picture we can judge."""


class Work(Enum):
    """What decoding a file may take, as far as a glance at it tells."""

    TINY = "well under a millisecond"  # so that handing it to a thread would cost more
    LITTLE = "bounded by its size"
    UNKNOWN = "anything"


@dataclass(frozen=True, slots=True)
class Header:
    """What a DICOM says about its picture, and nothing about anybody."""

    modality: str | None
    body_part: str | None
    rows: int
    columns: int
    frames: int
    said: tuple[str, ...] = ()  # every text and code that names the body part
    window: tuple[float, float] | None = None  # centre and width the values were shown through, if it was a window


@dataclass(frozen=True, slots=True)
class Picture:
    """A grey picture and what was learned about its file while reading it."""

    pixels: Pixels  # (height, width), 0 is black
    format: str  # "JPEG", "PNG", …
    mode: str  # the file's own pixel layout in Pillow's terms, or DICOM's: "L", "RGB", "I;16", "MONOCHROME1", …
    header: Header | None = None  # of a DICOM


class Unread(Protocol):
    """A file whose header is read and within the limits, its pixels not yet."""

    @property
    def pixels(self) -> int:
        """How many the header promises, in each frame."""

    def read(self, at_least: int | None = None) -> Picture:
        """The picture, or the middle one of several frames. Where the format can, a smaller one in which both sides
        keep `at_least` pixels. Raises PictureError.
        """

    def frames(self) -> Iterator[Picture]:
        """All of them, one at a time. Raises PictureError."""


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Judge a size found in a header, before any pixel is decoded."""
    if width * height > max_pixels:
        raise TooManyPixels(f"The picture has {width} × {height} pixels; at most {max_pixels:,} are read.")
    if min(width, height) < MIN_SIDE:
        raise UnusablePicture(f"The picture is {width} × {height}; each side needs at least {MIN_SIDE} pixels.")


def bands(height: int, width: int) -> Iterator[slice]:
    """The rows of a picture, some at a time; all of a small one."""
    rows = max(1, BAND // width)
    return (slice(top, min(top + rows, height)) for top in range(0, height, rows))
