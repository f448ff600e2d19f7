"""The header of a DICOM: the few elements that are looked at, before any pixel."""

import math
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import BytesIO
from typing import BinaryIO

import pydicom
from pydicom import uid
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_preamble
from pydicom.tag import Tag

from app.imaging.picture import Header, Instance, Place, TooMuchWork

# All that is ever looked at. The rest of a header, names among it, is passed over unread.
NAMES = (
    *("SOPClassUID", "Modality", "BodyPartExamined", "AnatomicRegionSequence", "NumberOfFrames", "Rows", "Columns"),
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "PixelRepresentation"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence", "VOILUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction"),
    *(f"{color}PaletteColorLookupTable{part}" for color in ("Red", "Green", "Blue") for part in ("Descriptor", "Data")),
    *(f"Segmented{color}PaletteColorLookupTableData" for color in ("Red", "Green", "Blue")),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
    *("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"),
    *("InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient"),
)
IDENTIFYING = {"SeriesInstanceUID", "InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient"}
TAGS = [int(Tag(name)) for name in NAMES]
FRAME_GROUPS = (
    *("PixelValueTransformationSequence", "FrameVOILUTSequence", "FrameAnatomySequence"),
    *("PlanePositionSequence", "PlaneOrientationSequence"),
)
MAX_INFLATED_PER_PIXEL = 8  # bytes for each pixel allowed that a deflated file may unpack to
MAX_NUMBER = 2**31  # of an instance, by the VR IS (PS3.5 6.2)
META_GROUP = 2  # the group of elements about the file itself
IMPLIED_SYNTAXES = {  # of a file that does not name its own, by what it looks like: implicit, little-endian
    (True, True): uid.ImplicitVRLittleEndian,
    (False, True): uid.ExplicitVRLittleEndian,
    (False, False): uid.ExplicitVRBigEndian,
}


def read_header(file: BinaryIO, max_pixels: int) -> tuple[BinaryIO, Dataset]:
    """The header, and the file where its pixels begin."""
    read_preamble(file, force=True)
    meta = read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag.group != META_GROUP)
    if meta.get("TransferSyntaxUID") == uid.DeflatedExplicitVRLittleEndian:  # pydicom would unpack it without a limit
        content = inflated(file.read(), MAX_INFLATED_PER_PIXEL * max_pixels)
        if content[:2] == b"\x02\0" or content[128:132] == b"DICM":
            raise ValueError("packed more than once")
        file = BytesIO(content)
    file.seek(0)
    dataset = pydicom.dcmread(file, stop_before_pixels=True, force=True, specific_tags=TAGS)
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        dataset.file_meta.TransferSyntaxUID = IMPLIED_SYNTAXES[bool(implicit), bool(little)]
    return file, dataset


def inflated(data: bytes, most: int) -> bytes:
    """What a deflated stream holds. Raises TooMuchWork beyond `most` bytes, ValueError or zlib.error for damage."""
    inflating = zlib.decompressobj(-zlib.MAX_WBITS)
    content = inflating.decompress(data, most)
    if inflating.unconsumed_tail:
        raise TooMuchWork(f"The DICOM file unpacks to more than {most:,} bytes.")
    if not inflating.eof:
        raise ValueError("cut short")
    return content


def describe(dataset: Dataset) -> Header:
    region = of_frame(dataset, 0).get("AnatomicRegionSequence") or [Dataset()]
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


def identify(dataset: Dataset, frames: Sequence[int]) -> Instance:
    """What it is, and the places of these frames, where it has them."""
    groups = len(dataset.get("PerFrameFunctionalGroupsSequence") or [])
    [number] = _numbers(dataset, "InstanceNumber", 1) or [math.inf]
    study, series, uid = (_uid(dataset, f"{level}InstanceUID") for level in ("Study", "Series", "SOP"))
    places = tuple(_place(of_frame(dataset, frame)) for frame in frames if frame < groups) or (_place(dataset),)
    return Instance(study, series, uid, int(number) if abs(number) < MAX_NUMBER else None, places)


def identify_by(elements: Mapping[str, str]) -> Instance:
    """The same by texts as files have them, with \\ between several values; what is none of its element is left out."""
    dataset = Dataset()
    for name in IDENTIFYING & elements.keys():
        with suppress(Exception):
            dataset.add_new(Tag(name), dictionary_VR(Tag(name)), elements[name])
    return identify(dataset, ())


def _place(dataset: Dataset) -> Place | None:
    """By PS3.3 C.7.6.2.1.1: the normal is the product of the directions of a row and of a column."""
    position = _numbers(dataset, "ImagePositionPatient", 3)
    axes = _numbers(dataset, "ImageOrientationPatient", 6)
    if not position or not axes:
        return None
    (a, b, c), (d, e, f) = axes[:3], axes[3:]
    product = b * f - c * e, c * d - a * f, a * e - b * d
    if not 0 < (length := math.hypot(*product)) < math.inf:
        return None
    x, y, z = (each / length for each in product)
    along = x * position[0] + y * position[1] + z * position[2]
    return Place((x, y, z), along) if math.isfinite(along) else None


def _uid(dataset: Dataset, name: str) -> str:
    """On one line, like all that goes into a table; empty where it is damaged, which a picture can do without."""
    with suppress(Exception):
        return " ".join(str(dataset.get(name) or "").split())
    return ""


def _numbers(dataset: Dataset, name: str, count: int) -> list[float] | None:
    """So many numbers; None where there are others, or what is none."""
    with suppress(Exception):
        value = dataset.get(name)
        found = [float(each) for each in ([value] if count == 1 else value)]
        return found if len(found) == count and all(map(math.isfinite, found)) else None
    return None


def _text(dataset: Dataset, name: str) -> str:
    """On one line, and no longer than the standard lets a code's meaning be."""
    return " ".join(str(dataset.get(name) or "").split())[:64]


def of_frame(dataset: Dataset, index: int) -> Dataset:
    """The header with what an enhanced object says of one frame laid over it."""
    merged = Dataset(dict(dataset.items()))  # update() would go through all frames for each
    frames = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    for groups in (*shared[:1], *frames[index : index + 1]):
        for name in FRAME_GROUPS:
            for item in groups.get(name) or []:
                merged.update(item)
    merged.file_meta = dataset.file_meta
    return merged
