"""Bytes to pixels. The one decoder: training and service both call it, so that they cannot drift apart."""

import re
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from app.imaging import bmp, jpeg, jpeg_header, png, tiff, webp
from app.imaging.picture import (  # as: for whoever imports it from here
    DEFAULT_LIMITS as DEFAULT_LIMITS,
    DamagedPicture as DamagedPicture,
    Header as Header,
    ImageFile as ImageFile,
    Instance as Instance,
    Kind as Kind,
    NotAPicture,
    Outline,
    Picture as Picture,
    PictureError as PictureError,
    Pixels as Pixels,
    Place as Place,
    SizeLimits as SizeLimits,
    TooManyPixels as TooManyPixels,
    TooMuchWork as TooMuchWork,
    UnknownType as UnknownType,
    UnusablePicture as UnusablePicture,
    Window,
)

RESAMPLE = "squash-box"  # written into every bundle; a bundle made for another way of shrinking is refused
OVERSAMPLING = 2  # a JPEG is decoded at a fraction that leaves this many times the model's pixels a side
OUTLINED_BYTES = 2**20  # in a larger file no outline is looked for

ModelInput = tuple[Pixels, Header | None]  # (size, size, 1), and what a DICOM says


class View(NamedTuple):
    """How a model sees pictures."""

    size: int  # pixels a side
    ct_window: Window | None = None  # for a CT in Hounsfield units; None: each file's own


def _dicom(data: bytes, limits: SizeLimits) -> ImageFile:
    from app.imaging import dicom  # here: pydicom takes 40 MB and 0.2 s, and many never meet a DICOM

    return dicom.open(data, limits)


def _none(data: bytes, *_: SizeLimits) -> ImageFile:
    if not data:
        raise UnusablePicture("The file is empty.")
    raise NotAPicture("The content is not a DICOM, JPEG, PNG, TIFF, BMP or WebP picture.")


class Format(NamedTuple):
    """What is to be known of a format."""

    begins: bytes  # its files, as a regular expression
    open: Callable[..., ImageFile]  # with their bytes, the limits and, if there is one, their outline
    outline: Callable[[bytes], Outline] | None = None  # raises ValueError or struct.error


FORMATS = {  # the first that fits: a file that is DICOM and something else as well is taken for DICOM
    "DICOM": Format(rb".{128}DICM|[\x02\x08]\0.\0|\0\x08\0", _dicom),  # or an element of group 2 or 8, without preamble
    "JPEG": Format(rb"\xff\xd8\xff", jpeg.open, jpeg_header.read_header),
    "PNG": Format(rb"\x89PNG\r\n\x1a\n", png.open, png.read_outline),
    "TIFF": Format(rb"II[*+]\0|MM\0[*+]", tiff.open),  # + in a BigTIFF
    "BMP": Format(rb"BM", bmp.open),
    "WEBP": Format(rb"RIFF.{4}WEBP", webp.open),
    "NONE": Format(rb"", _none),
}
BEGINNING_BYTES = 132  # in which each shows itself
BEGINNINGS = re.compile(b"|".join(b"(?P<%s>%s)" % (name.encode(), FORMATS[name].begins) for name in FORMATS), re.DOTALL)


class Glance(NamedTuple):
    """A file of which no more is known than its first bytes and its structure tell, before anything is decoded."""

    data: bytes
    open: Callable[[SizeLimits], ImageFile]
    outline: Outline | None  # None where the file is large, damaged or of a format that draws none


def glance(data: bytes) -> Glance:
    """The file's format by its first bytes and, if it is small, its outline; in well under a millisecond."""
    format = FORMATS[BEGINNINGS.match(data).lastgroup]  # type: ignore[union-attr, index]
    if format.outline and len(data) <= OUTLINED_BYTES:
        with suppress(struct.error, ValueError):  # which opening will meet again
            outline = format.outline(data)
            return Glance(data, partial(format.open, data, outline=outline), outline)
    return Glance(data, partial(format.open, data), None)


def open(data: bytes, limits: SizeLimits = DEFAULT_LIMITS) -> ImageFile:
    """Read the header of one picture, judged by its content alone.

    Raises a PictureError: UnknownType, DamagedPicture, TooManyPixels, TooMuchWork or UnusablePicture.
    """
    return glance(data).open(limits)


def peek(file: BinaryIO, limits: SizeLimits = DEFAULT_LIMITS) -> tuple[Header, Instance] | None:
    """What the header of a DICOM picture says, of whose pixels nothing is read; None for any other file."""
    if format_of(file) != "DICOM":
        return None
    from app.imaging import dicom

    return dicom.peek(file, limits)


def format_of(file: BinaryIO) -> str:
    """Its name among FORMATS, by its first bytes."""
    file.seek(0)
    start = file.read(BEGINNING_BYTES)
    file.seek(0)
    return str(BEGINNINGS.match(start).lastgroup)  # type: ignore[union-attr]


def decode(
    data: bytes, at_least: int | None = None, limits: SizeLimits = DEFAULT_LIMITS, ct_window: Window | None = None
) -> Picture:
    """Header and pixels in one go. Arguments and errors are those of `open` and `ImageFile.read`."""
    return open(data, limits).read(at_least, ct_window)


def read_input(file: ImageFile, view: View) -> ModelInput:
    """What a model gets to see of a picture. Raises PictureError."""
    picture = file.read(OVERSAMPLING * view.size, view.ct_window)
    return to_input(picture, view.size), picture.header


def read_slice(file: ImageFile, view: View) -> tuple[ModelInput, Instance | None]:
    """The same, and what a DICOM says that it is, with the place of the frame seen. Raises PictureError."""
    return read_input(file, view), file.instance([file.size.frames // 2])


def read_frames(file: ImageFile, view: View, which: Sequence[int] | None = None) -> Iterator[ModelInput]:
    """Model inputs of all frames, or of those, one at a time. Raises PictureError."""
    for picture in file.frames(view.ct_window, which):
        yield to_input(picture, view.size), picture.header


def read_both(file: ImageFile, view: View) -> Iterator[Picture]:
    """The picture as people are shown it and as a model sees it, both whole. Raises PictureError."""
    shown = file.read()
    yield shown
    yield file.read(ct_window=view.ct_window) if view.ct_window and shown.header else shown  # a DICOM is read again


def to_input(picture: Picture, size: int) -> Pixels:
    """Pixels for a model from a picture as it sees it: squashed to a square with a box filter, (size, size, 1)."""
    pixels = picture.pixels
    if pixels.shape != (size, size):
        pixels = np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BOX))
    return pixels[:, :, np.newaxis]
