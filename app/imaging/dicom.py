"""DICOM through pydicom: the header first, then the limits, and only then the pixels, one frame at a time."""

import logging
import re
import warnings
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_preamble
from pydicom.multival import MultiValue
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
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
from app.imaging.picture import (
    DamagedPicture,
    Header,
    Picture,
    PictureError,
    Pixels,
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
WINDOWS = {"CT": (40.0, 400.0)}  # centre and width in Hounsfield units for a CT that brings none: soft tissue
SHARE = 0.5  # percent of the values left out at either end where there is no window at all
INFLATED = 8  # bytes for each pixel allowed that a deflated file may unpack to
LINEAR = "LINEAR"
EXTREME = 50  # an exponent beyond which a sigmoid is black or white
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

Values = npt.NDArray[Any]
Window = tuple[float, float]  # centre and width


@dataclass(frozen=True, slots=True)
class Unread:
    """A DICOM whose header is read and within the limits; its pixels come next in `file`."""

    dataset: Dataset
    file: BytesIO
    header: Header

    light = False

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
        pixels, window = _grey(values, _of_frame(self.dataset, index), self.header.modality)
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


def _grey(values: Values, dataset: Dataset, modality: str | None) -> tuple[Pixels, Window | None]:
    """Decoded values as a display would show them, and the window they were shown through."""
    bits = int(dataset.BitsStored) if "BitsStored" in dataset else 0
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        values = apply_color_lut(values, dataset)
        bits = 8 * values.itemsize
    if values.ndim == 3:
        return np.asarray(Image.fromarray(_eight_bits(values / (2.0**bits - 1))).convert("L")), None
    picture = ~_padding(values, dataset)
    values = apply_modality_lut(values, dataset)
    if dataset.get("VOILUTSequence"):
        shown, window = _looked_up(values, dataset.VOILUTSequence[0]), None
    elif window := _own_window(dataset):
        shown = _through(values, window, _function(dataset))
    else:
        window = _default_window(values[picture] if picture.any() else values, bits, modality)
        shown = _through(values, window, LINEAR)
    pixels = _eight_bits(shown)
    return (255 - pixels if dataset.PhotometricInterpretation == "MONOCHROME1" else pixels), window


def _eight_bits(shown: Values) -> Pixels:
    return (shown.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def _padding(stored: Values, dataset: Dataset) -> npt.NDArray[np.bool_]:
    """Where there is no picture, only what fills the frame up."""
    first = dataset.get("PixelPaddingValue")
    if first is None:
        return np.zeros(stored.shape, bool)
    low, high = sorted((int(first), int(dataset.get("PixelPaddingRangeLimit", first))))
    return (stored >= low) & (stored <= high)


def _looked_up(values: Values, table: Dataset) -> Values:
    """Grey from 0 to 1 by a VOI LUT. (pydicom's own wraps where eight-bit entries are more than 256.)"""
    count, first, bits = table.LUTDescriptor
    entries = table.LUTData
    if isinstance(entries, bytes):
        entries = np.frombuffer(entries, "<u2" if table.original_encoding[1] is not False else ">u2")
    index = np.clip(np.rint(values) - first, 0, (count or 2**16) - 1).astype(int)
    shown: Values = np.asarray(entries)[index] / (2.0**bits - 1)
    return shown


def _function(dataset: Dataset) -> str:
    return str(dataset.get("VOILUTFunction") or LINEAR)


def _own_window(dataset: Dataset) -> Window | None:
    """The first of the file's windows, if it makes sense."""
    center, width = (_first(dataset.get(name)) for name in ("WindowCenter", "WindowWidth"))
    if center is None or width is None or not isfinite(center + width):
        return None
    if width <= 0 or (width < 1 and _function(dataset) == LINEAR):
        return None
    return center, width


def _first(value: Any) -> float | None:
    if isinstance(value, MultiValue):
        value = value[0] if value else None
    return None if value in {None, ""} else float(value)


def _default_window(values: Values, bits: int, modality: str | None) -> Window:
    """All of what eight bits can hold; soft tissue for a CT; else the values but for a few at either end."""
    if values.dtype == np.uint8:
        low, high = 0.0, 2.0**bits - 1 if 0 < bits < 8 else 255.0
    elif modality in WINDOWS:
        return WINDOWS[modality]
    else:
        low, high = np.percentile(values, (SHARE, 100 - SHARE)).tolist()
    return (low + high) / 2 + 0.5, high - low + 1


def _through(values: Values, window: Window, function: str) -> Values:
    """Grey from 0 to 1, with values beyond either end, by the formulas of PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    center, width = window
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -EXTREME, EXTREME)))
    if function == "LINEAR_EXACT" or width == 1:
        return (values - center) / width + 0.5
    return (values - (center - 0.5)) / (width - 1) + 0.5
