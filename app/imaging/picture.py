"""The vocabulary of the ring: pixels, a picture, and the ways a file can fail to be one."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Window = tuple[float, float]  # centre and width of the values from black to white

MIN_SIDE = 16
NOT_FINITE = "The picture holds values that are not finite numbers."
BAND_PIXELS = 2**18  # to work on at a time: what lies between stored values and grey takes many bytes for each


class Kind(StrEnum):
    """What a file turned out to be."""

    PICTURE = "picture"
    NOT_A_PICTURE = "not a picture"
    NO_PIXELS = "no pixels"
    UNREADABLE = "unreadable"


class PictureError(ValueError):
    """A file that gives no picture. Its message is one plain sentence, safe to show to a stranger."""

    kind: ClassVar = Kind.UNREADABLE


class UnknownType(PictureError):
    """The content is no format we read."""


class NotAPicture(UnknownType):
    """The content is none of the formats at all."""

    kind = Kind.NOT_A_PICTURE


class DamagedPicture(PictureError):
    """The content claims a format and then breaks its rules."""


class TooManyPixels(PictureError):
    """The header promises more pixels or frames than the limit."""


class TooMuchWork(PictureError):
    """Decoding takes more parts, time or memory than one picture may ask for."""


class UnusablePicture(PictureError):
    """A sound file that holds no single picture we can judge."""


class NoPixels(UnusablePicture):
    """A DICOM of another kind than pictures."""

    kind = Kind.NO_PIXELS


class SizeLimits(NamedTuple):
    """How large a picture may be that is read."""

    pixels: int = 40_000_000  # in each frame
    frames: int = 10_000


DEFAULT_LIMITS = SizeLimits()


@dataclass(frozen=True, slots=True)
class Outline:
    """What a file's own structure says of its picture."""

    width: int
    height: int
    bounded: bool  # whether these and the file's size bound what decoding takes


@dataclass(frozen=True, slots=True)
class Header:
    """What a DICOM says about its picture, and nothing about anybody."""

    modality: str | None
    body_part: str | None
    rows: int
    columns: int
    frames: int
    said: tuple[str, ...] = ()  # every text and code that names the body part
    window: Window | None = None  # that the values are shown to people through, if it is a window


class Place(NamedTuple):
    """Where a slice lies in the patient, as DICOM states it."""

    normal: tuple[float, float, float]  # of its plane, of length 1
    along: float  # its distance from the origin along that, mm


class Instance(NamedTuple):
    """Which of an examination's objects a DICOM is, and where its slices lie.

    Its UIDs lead to a person: they are for tables of whoever has the files, and for nothing that is sent anywhere.
    """

    study: str  # StudyInstanceUID; this and the next are empty where there is none
    series: str  # SeriesInstanceUID
    uid: str  # SOPInstanceUID
    number: int | None  # InstanceNumber
    places: tuple[Place | None, ...]  # of each frame of an enhanced object that was asked for; of any other, its one


@dataclass(frozen=True, slots=True)
class Picture:
    """A grey picture and what was learned about its file while reading it."""

    pixels: Pixels  # (height, width), 0 is black
    format: str  # "JPEG", "PNG", …
    mode: str  # the file's own pixel layout: Pillow's, numpy's of a grey TIFF, or DICOM's: "RGB", "uint16", "MONOCHROME1", …
    header: Header | None = None  # of a DICOM


class Size(NamedTuple):
    """How large a picture is, as its header says."""

    rows: int
    columns: int
    frames: int = 1


@dataclass(frozen=True, slots=True)
class ImageFile(ABC):
    """A file whose header is read and within the limits, its pixels not yet."""

    size: Size

    @abstractmethod
    def read(self, at_least: int | None = None, ct_window: Window | None = None) -> Picture:
        """The picture, or the middle one of several frames, as people are shown it. Raises PictureError.

        Where the format can, a smaller one in which both sides keep `at_least` pixels. A CT in Hounsfield units comes
        through `ct_window` if there is one, air black whatever the file says; its header tells the file's own.
        """

    def frames(self, ct_window: Window | None = None, which: Sequence[int] | None = None) -> Iterator[Picture]:
        """Pictures of all frames, or of those, one at a time. Raises PictureError."""
        yield self.read()

    def instance(self, which: Sequence[int] | None = None) -> Instance | None:
        """What a DICOM says that it is, with the places of all frames, or of those; None where nothing can be read of it."""
        return None


@contextmanager
def as_damage(format: str, how: str = "damaged or cut short") -> Iterator[None]:
    """Hostile bytes make parsers raise nearly every built-in there is, RecursionError too; all of it means damage."""
    try:
        yield
    except (PictureError, MemoryError):
        raise
    except Exception:
        # What went wrong may quote the header, so it is not kept.
        raise DamagedPicture(f"The {format} file is {how}.") from None


def check_size(width: int, height: int, limits: SizeLimits) -> Size:
    """The size that a header promises, judged before any pixel is decoded. Raises TooManyPixels or UnusablePicture."""
    if width * height > limits.pixels:
        raise TooManyPixels(f"The picture has {width} × {height} pixels; at most {limits.pixels:,} are read.")
    if min(width, height) < MIN_SIDE:
        raise UnusablePicture(f"The picture is {width} × {height}; each side needs at least {MIN_SIDE} pixels.")
    return Size(height, width)


def bands(height: int, width: int) -> Iterator[slice]:
    """The rows of a picture, some at a time; all of a small one."""
    rows = max(1, BAND_PIXELS // width)
    return (slice(top, min(top + rows, height)) for top in range(0, height, rows))
