"""DICOM through pydicom: the header first, then the limits, and only then the pixels, one frame at a time."""

import logging
import re
import warnings
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_preamble
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array
from pydicom.tag import Tag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RTDoseStorage,
)

from app.imaging import codecs
from app.imaging.display import show
from app.imaging.picture import (
    DamagedPicture,
    Header,
    Picture,
    PictureError,
    TooManyPixels,
    UnknownType,
    UnusablePicture,
    check_size,
)

# All that is ever looked at. The rest of a header, names among it, is passed over unread.
TAGS = (
    *("SOPClassUID", "Modality", "BodyPartExamined", "AnatomicRegionSequence", "NumberOfFrames", "Rows", "Columns"),
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "PixelRepresentation"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "VOILUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction"),
    *(f"{color}PaletteColorLookupTable{part}" for color in ("Red", "Green", "Blue") for part in ("Descriptor", "Data")),
    *(f"Segmented{color}PaletteColorLookupTableData" for color in ("Red", "Green", "Blue")),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
)
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
GROUPS = ("PixelValueTransformationSequence", "FrameVOILUTSequence", "FrameAnatomySequence")
NO_PICTURE = {RTDoseStorage}  # it has pixels, but they are a dose
INFLATED = 8  # bytes for each pixel allowed that a deflated file may unpack to
META = 2  # the group of elements about the file itself
DIGITS = re.compile(r"[0-9.]{1,64}")
SYNTAXES = {  # of a file that does not name its own, by what it looks like: implicit, little-endian
    (True, True): ImplicitVRLittleEndian,
    (False, True): ExplicitVRLittleEndian,
    (False, False): ExplicitVRBigEndian,
}

# Both would repeat what a header says.
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
warnings.filterwarnings("ignore", module="pydicom")
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
codecs.register()


@dataclass(frozen=True, slots=True)
class Unread:
    """A DICOM whose header is read and within the limits; its pixels come next in `file`."""

    dataset: Dataset
    file: BytesIO
    header: Header

    @property
    def pixels(self) -> int:
        return self.header.rows * self.header.columns

    def read(self, at_least: int | None = None) -> Picture:
        """The middle frame, always whole."""
        return next(self.frames(self.header.frames // 2))

    def frames(self, first: int = 0) -> Iterator[Picture]:
        with _judging():
            self._fetch()
            for index in range(first, self.header.frames):
                yield self._frame(index)

    def _fetch(self) -> None:
        if not any(name in self.dataset for name in PIXELS):
            implicit, little = self.dataset.original_encoding
            self.dataset.update(read_dataset(self.file, bool(implicit), bool(little), specific_tags=_tags(PIXELS)))

    def _frame(self, index: int) -> Picture:
        values = pixel_array(self.dataset, index=index)
        if not np.isfinite(values).all():
            raise UnusablePicture("The picture holds values that are not finite numbers.")
        pixels, window = show(values, _of_frame(self.dataset, index), self.header.modality)
        mode = str(self.dataset.PhotometricInterpretation)
        return Picture(pixels, "DICOM", mode, replace(self.header, window=window))


def open(data: bytes, max_pixels: int, max_frames: int) -> Unread:
    """Read the header of `data`. Raises PictureError and nothing else."""
    with _judging():
        file, dataset = _read(data, max_pixels)
        kind = UID(dataset.get("SOPClassUID", ""))
        if "Rows" not in dataset or file.tell() == file.getbuffer().nbytes or kind in NO_PICTURE:
            raise UnusablePicture(f"The DICOM file holds no picture; its kind is {_name(kind) or 'not known'}.")
        header = _header(dataset)
        check_size(header.columns, header.rows, max_pixels)
        if header.frames < 1:
            raise ValueError("fewer frames than one")
        if header.frames > max_frames:
            raise TooManyPixels(f"The picture has {header.frames:,} frames; at most {max_frames:,} are read.")
        _check_syntax(dataset.file_meta.TransferSyntaxUID)
        return Unread(dataset, file, header)


@contextmanager
def _judging() -> Iterator[None]:
    """pydicom and the codecs raise nearly every built-in there is, RecursionError too; all of it means damage."""
    try:
        yield
    except (PictureError, MemoryError):
        raise
    except Exception:
        # What went wrong may quote the header, so it is not kept.
        raise DamagedPicture("The DICOM file is damaged, cut short or not what its header says.") from None


def _read(data: bytes, max_pixels: int) -> tuple[BytesIO, Dataset]:
    """The header, and the file where its pixels begin."""
    file = BytesIO(data)
    read_preamble(file, force=True)
    meta = read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag.group != META)
    if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:  # pydicom would unpack it without a limit
        inflating = zlib.decompressobj(-zlib.MAX_WBITS)
        inflated = inflating.decompress(file.read(), INFLATED * max_pixels)
        if inflated[:2] == b"\x02\0" or inflated[128:132] == b"DICM":
            raise ValueError("packed more than once")
        file = BytesIO(inflated)
    file.seek(0)
    dataset = pydicom.dcmread(file, stop_before_pixels=True, force=True, specific_tags=_tags(TAGS))
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        dataset.file_meta.TransferSyntaxUID = SYNTAXES[bool(implicit), bool(little)]
    return file, dataset


def _tags(names: Iterable[str]) -> list[int]:
    return [int(Tag(name)) for name in names]


def _check_syntax(syntax: UID) -> None:
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        decoder = None
    if decoder is None or not decoder.is_available:
        raise UnknownType(f"The transfer syntax {_name(syntax) or 'of this DICOM file'} is not read.")


def _name(uid: UID) -> str:
    """What the standard calls it, or the number itself where that is one; nothing else from a file is repeated."""
    return uid.name if uid.name != uid or DIGITS.fullmatch(uid) else ""


def _header(dataset: Dataset) -> Header:
    region = _of_frame(dataset, 0).get("AnatomicRegionSequence") or [Dataset()]
    coded = [_text(region[0], name) for name in ("CodeMeaning", "CodeValue")]
    said = [text for text in (_text(dataset, "BodyPartExamined"), *coded) if text]
    return Header(
        modality=_text(dataset, "Modality") or None,
        body_part=said[0] if said else None,
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        frames=int(dataset.get("NumberOfFrames") or 1),
        said=tuple(said),
    )


def _text(dataset: Dataset, name: str) -> str:
    """On one line, and no longer than the standard lets a code's meaning be."""
    return " ".join(str(dataset.get(name) or "").split())[:64]


def _of_frame(dataset: Dataset, index: int) -> Dataset:
    """The header with what an enhanced object says of one frame laid over it."""
    merged = Dataset()
    merged.update(dataset)
    frames = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    for groups in (*shared[:1], *frames[index : index + 1]):
        for name in GROUPS:
            for item in groups.get(name) or []:
                merged.update(item)
    merged.file_meta = dataset.file_meta
    return merged
