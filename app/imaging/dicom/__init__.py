"""DICOM through pydicom: the header first, then the limits, and only then the pixels, one frame at a time."""

import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, MediaStorageDirectoryStorage, RTDoseStorage

from app.imaging.dicom import codecs, repair
from app.imaging.dicom.codestream import DEFLATED_FRAMES
from app.imaging.dicom.display import Values, is_in_hounsfield_units, measured, render
from app.imaging.dicom.frames import PixelElement, read_element, stored_values
from app.imaging.dicom.header import describe, identify, of_frame, read_header
from app.imaging.picture import (
    Header,
    ImageFile,
    Instance,
    NoPixels,
    Picture,
    PictureError,
    SizeLimits,
    TooManyPixels,
    UnknownType,
    UnusablePicture,
    Window,
    as_damage,
    check_size,
)

OF_PICTURES = "Image Storage"  # in the names of the kinds that are pictures
KINDS_WITHOUT_PICTURE = {RTDoseStorage}  # it has pixels, but they are a dose
UID_DIGITS = re.compile(r"[0-9.]{1,64}")
DAMAGED = "DICOM", "damaged, cut short or not what its header says"

# Both would repeat what a header says.
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
warnings.filterwarnings("ignore", module="pydicom")
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
codecs.register()


@dataclass(frozen=True, slots=True)
class DicomFile(ImageFile):
    """A DICOM whose header is read and within the limits; its pixels come next in `file`."""

    dataset: Dataset
    file: BytesIO
    header: Header

    def read(self, at_least: int | None = None, ct_window: Window | None = None) -> Picture:
        """The middle frame, always whole."""
        return next(self.frames(ct_window, [self.header.frames // 2]))

    def frames(self, ct_window: Window | None = None, which: Sequence[int] | None = None) -> Iterator[Picture]:
        with as_damage(*DAMAGED):
            pixels = read_element(self.file, self.dataset, self.header.frames)
            for index in range(self.header.frames) if which is None else which:
                yield self._frame(pixels, index, ct_window)

    def instance(self, which: Sequence[int] | None = None) -> Instance | None:
        with suppress(Exception):  # whatever is wrong there, the picture may be sound
            return identify(self.dataset, range(self.header.frames) if which is None else which)
        return None

    def hounsfield(self) -> npt.NDArray[np.float32] | None:
        """Hounsfield units of the middle frame, (rows, columns), for whoever chooses a window; None where the header
        promises none. Raises PictureError.
        """
        with as_damage(*DAMAGED):
            pixels = read_element(self.file, self.dataset, self.header.frames)
            values, dataset = self._stored(pixels, self.header.frames // 2)
            if not is_in_hounsfield_units(dataset, self.header.modality):
                return None
            return np.asarray(measured(values, dataset), np.float32)

    def _frame(self, pixels: PixelElement, index: int, ct_window: Window | None) -> Picture:
        values, dataset = self._stored(pixels, index)
        shown, window = render(values, dataset, self.header.modality, ct_window)
        return Picture(shown, "DICOM", str(dataset.PhotometricInterpretation), replace(self.header, window=window))

    def _stored(self, pixels: PixelElement, index: int) -> tuple[Values, Dataset]:
        """Values of one frame, and what tells how they are shown."""
        values, dataset = stored_values(self.dataset, pixels, index), of_frame(self.dataset, index)
        repair.shown(dataset)
        return values, dataset


@as_damage(*DAMAGED)
def open(data: bytes, limits: SizeLimits) -> ImageFile:
    """Read the header of `data`. Raises PictureError and nothing else."""
    found, dataset = read_header(BytesIO(data), limits.pixels)
    file = cast(BytesIO, found)
    kind = _kind(dataset)
    if "Rows" not in dataset or file.tell() == len(file.getvalue()) or kind in KINDS_WITHOUT_PICTURE:
        raise _without_pixels(kind)
    header = describe(dataset)
    size = check_size(header.columns, header.rows, limits)._replace(frames=header.frames)
    if header.frames < 1:
        raise ValueError("fewer frames than one")
    if header.frames > limits.frames:
        raise TooManyPixels(f"The picture has {header.frames:,} frames; at most {limits.frames:,} are read.")
    _check_syntax(dataset.file_meta.TransferSyntaxUID)
    repair.header(dataset)
    return DicomFile(size, dataset, file, header)


def peek(file: BinaryIO, limits: SizeLimits) -> tuple[Header, Instance] | None:
    """What the header says of a picture, whatever its pixels; None where it says of none, or cannot be read."""
    with suppress(Exception):
        dataset = read_header(file, limits.pixels)[1]
        if _kind(dataset) not in KINDS_WITHOUT_PICTURE:
            header = describe(dataset)
            return header, identify(dataset, range(min(header.frames, limits.frames)))
    return None


def _kind(dataset: Dataset) -> UID:
    return UID(dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID", ""))


def _without_pixels(kind: UID) -> PictureError:
    if kind == MediaStorageDirectoryStorage:
        return NoPixels("This DICOM is a directory of a medium (DICOMDIR) and holds no picture.")
    if OF_PICTURES in kind.name:
        return UnusablePicture(f"The DICOM file ends before its pixels; its kind is {kind.name}.")
    return NoPixels(f"The DICOM file holds no picture; its kind is {_name(kind) or 'not known'}.")


def _check_syntax(syntax: UID) -> None:
    if syntax == DEFLATED_FRAMES:
        return
    with suppress(NotImplementedError):
        if get_decoder(syntax).is_available:
            return
    raise UnknownType(f"The transfer syntax {_name(syntax) or 'of this DICOM file'} is not read.")


def _name(uid: UID) -> str:
    """What the standard calls it, or the number itself where that is one; nothing else from a file is repeated."""
    return uid.name if uid.name != uid or UID_DIGITS.fullmatch(uid) else ""
