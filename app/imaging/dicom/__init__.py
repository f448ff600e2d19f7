"""DICOM through pydicom: the header first, then the limits, and only then the pixels, one frame at a time."""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO

import pydicom
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import get_expected_length, pixel_array
from pydicom.uid import UID, RTDoseStorage

from app.imaging.dicom import codecs
from app.imaging.dicom.display import render
from app.imaging.dicom.header import describe, of_frame, read_header, tags
from app.imaging.picture import (
    Header,
    ImageFile,
    Picture,
    SizeLimits,
    TooManyPixels,
    UnknownType,
    UnusablePicture,
    as_damage,
    check_size,
)

PIXEL_DATA = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
KINDS_WITHOUT_PICTURE = {RTDoseStorage}  # it has pixels, but they are a dose
UID_DIGITS = re.compile(r"[0-9.]{1,64}")
DAMAGED = "DICOM", "damaged, cut short or not what its header says"
UNDEFINED_LENGTH = 0xFFFFFFFF  # a length that its content tells

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

    def read(self, at_least: int | None = None) -> Picture:
        """The middle frame, always whole."""
        return next(self.frames(self.header.frames // 2))

    def frames(self, first: int = 0) -> Iterator[Picture]:
        with as_damage(*DAMAGED):
            self._fetch()
            for index in range(first, self.header.frames):
                yield self._frame(index)

    def _fetch(self) -> None:
        if not any(name in self.dataset for name in PIXEL_DATA):
            implicit, little = self.dataset.original_encoding
            self.dataset.update(read_dataset(self.file, bool(implicit), bool(little), specific_tags=tags(PIXEL_DATA)))
            _check_length(self.dataset)

    def _frame(self, index: int) -> Picture:
        values = pixel_array(self.dataset, index=index)
        pixels, window = render(values, of_frame(self.dataset, index), self.header.modality)
        mode = str(self.dataset.PhotometricInterpretation)
        return Picture(pixels, "DICOM", mode, replace(self.header, window=window))


@as_damage(*DAMAGED)
def open(data: bytes, limits: SizeLimits) -> ImageFile:
    """Read the header of `data`. Raises PictureError and nothing else."""
    file, dataset = read_header(data, limits.pixels)
    kind = UID(dataset.get("SOPClassUID", ""))
    if "Rows" not in dataset or file.tell() == file.getbuffer().nbytes or kind in KINDS_WITHOUT_PICTURE:
        raise UnusablePicture(f"The DICOM file holds no picture; its kind is {_name(kind) or 'not known'}.")
    header = describe(dataset)
    pixels = check_size(header.columns, header.rows, limits)
    if header.frames < 1:
        raise ValueError("fewer frames than one")
    if header.frames > limits.frames:
        raise TooManyPixels(f"The picture has {header.frames:,} frames; at most {limits.frames:,} are read.")
    _check_syntax(dataset.file_meta.TransferSyntaxUID)
    return DicomFile(pixels, dataset, file, header)


def _check_length(dataset: Dataset) -> None:
    """Whether the pixels are all there and, where they are plain, no more than the header says; pydicom looks away."""
    name = next(name for name in PIXEL_DATA if name in dataset)
    said = getattr(dataset.get_item(name), "length", UNDEFINED_LENGTH)
    value = dataset[name].value
    if said not in {len(value), UNDEFINED_LENGTH}:
        raise ValueError("shorter than it says")
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated and any(value[get_expected_length(dataset) :]):
        raise ValueError("longer than the header says, and not only padded")


def _check_syntax(syntax: UID) -> None:
    with suppress(NotImplementedError):
        if get_decoder(syntax).is_available:
            return
    raise UnknownType(f"The transfer syntax {_name(syntax) or 'of this DICOM file'} is not read.")


def _name(uid: UID) -> str:
    """What the standard calls it, or the number itself where that is one; nothing else from a file is repeated."""
    return uid.name if uid.name != uid or UID_DIGITS.fullmatch(uid) else ""
