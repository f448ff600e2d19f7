"""The pixel element of a DICOM, from its bytes to the stored values of one frame."""

from collections.abc import Sequence
from io import BytesIO
from itertools import accumulate, pairwise
from struct import pack, unpack_from
from typing import Any, NamedTuple

import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import as_pixel_options, get_expected_length
from pydicom.uid import ExplicitVRLittleEndian

from app.imaging.dicom import codestream, repair
from app.imaging.dicom.header import inflated
from app.imaging.picture import TooMuchWork

NAMES = {0x0008: "FloatPixelData", 0x0009: "DoubleFloatPixelData", 0x0010: "PixelData"}  # of group 7FE0
EXPLICIT_VRS = {"OB", "OW", "OF", "OD", "OL", "OV", "UN"}
UNDEFINED_LENGTH = 0xFFFFFFFF  # a length that its content tells
ITEM = b"\xfe\xff\x00\xe0"
EMPTY_TABLE = ITEM + bytes(4)
MAX_FRAGMENTS = 1_000_000

Values = npt.NDArray[Any]
Fragments = Sequence[memoryview]  # of one codestream


class PixelElement(NamedTuple):
    """What holds the pixels: plain values of all frames, or the fragments of each."""

    name: str
    vr: str
    plain: memoryview
    frames: Sequence[Fragments]  # none where they are plain


def read_element(file: BytesIO, dataset: Dataset, count: int) -> PixelElement:
    """The element that begins where `file` stands, of `count` frames; what it holds repairs the header.

    Raises ValueError, struct.error or KeyError where pixels are missing, or could be read in two ways.
    """
    name, vr, length, value = _element(file, dataset)
    syntax = dataset.file_meta.TransferSyntaxUID
    if length == UNDEFINED_LENGTH or (value[:4] == ITEM and codestream.is_coded(syntax)):
        frames = cut(_items(value), count, bytes(dataset.get("ExtendedOffsetTable") or b""))
        repair.coded(dataset, frames[0][0])
        return PixelElement(name, vr, value[:0], frames)
    repair.plain(dataset, value)
    return PixelElement(name, vr, value, [])


def _element(file: BytesIO, dataset: Dataset) -> tuple[str, str, int, memoryview]:
    """Its name, VR, the length it says and as much of that as is there."""
    data, at, order = memoryview(file.getvalue()), file.tell(), "<" if dataset.original_encoding[1] else ">"
    name, vr = NAMES[unpack_from(f"{order}2H", data, at)[1]], bytes(data[at + 4 : at + 6]).decode("latin-1")
    start = at + (12 if vr in EXPLICIT_VRS else 8)  # an implicit length, which is even, begins like none of these
    (length,) = unpack_from(f"{order}I", data, start - 4)
    return name, vr, length, data[start : start + length]


def _items(data: memoryview) -> list[memoryview]:
    """Up to what is none: a delimiter, a mangled one, or the file's end. Raises ValueError where one is cut short."""
    items: list[memoryview] = []
    at = 0
    while data[at : at + 4] == ITEM:
        start, length = at + 8, unpack_from("<I", data, at + 4)[0]
        at = start + length
        if at > len(data):
            raise ValueError("an item is cut short")
        items.append(data[start:at])
        if len(items) > MAX_FRAGMENTS:
            raise TooMuchWork(f"The DICOM file has more than {MAX_FRAGMENTS:,} fragments.")
    return items


def cut(items: Sequence[memoryview], count: int, extended_offsets: bytes) -> Sequence[Fragments]:
    """The fragments of each of `count` frames. Raises ValueError where there is no one way.

    The first item is a table of offsets, which may be empty (PS3.5 A.4). Writers leave it out, cut it short, or fill it
    with zeros; where there is a fragment a frame, or codestreams show where they begin, it is not needed.
    """
    table, *fragments = items
    if codestream.begins(table) or len(fragments) < count:
        table, fragments = table[:0], [*items]
    starts = accumulate((8 + len(fragment) for fragment in fragments), initial=0)
    places = {start: fragment for start, fragment in zip(starts, fragments, strict=False) if fragment}
    order, whole = {start: number for number, start in enumerate(places)}, [*places.values()]
    for heads in (
        [*places] if len(places) == count else [*places][: count == 1],
        [start for start, fragment in places.items() if codestream.begins(fragment)],
        unpack_from(f"<{len(table) // 4}I", table),
        unpack_from(f"<{len(extended_offsets) // 8}Q", extended_offsets),
    ):
        numbers = [order.get(start, -1) for start in heads]
        if len(numbers) == count and numbers[0] == 0 and all(left < right for left, right in pairwise(numbers)):
            return [whole[left:right] for left, right in pairwise([*numbers, len(whole)])]
    raise ValueError("frames that could be cut in two ways")


def stored_values(dataset: Dataset, element: PixelElement, index: int) -> Values:
    """Stored values of one frame, (rows, columns), or (rows, columns, 3) in RGB. Raises what a codec makes of damage."""
    syntax, count = dataset.file_meta.TransferSyntaxUID, int(dataset.get("NumberOfFrames") or 1)
    data: bytes | memoryview = element.plain
    depth = None
    if element.frames:
        data, index, count = b"".join(element.frames[index]), 0, 1
        depth = codestream.depth(data)
        if syntax == codestream.DEFLATED_FRAMES:
            syntax, data = ExplicitVRLittleEndian, inflated(data, get_expected_length(dataset) + 1)
        else:
            data = EMPTY_TABLE + ITEM + pack("<I", len(data)) + data
    shift = repair.bits_below(dataset, depth)
    options = as_pixel_options(
        dataset,
        number_of_frames=count,
        bits_stored=int(dataset.get("BitsStored") or 0) + shift,
        pixel_keyword=element.name,
        pixel_vr=element.vr,
        extended_offsets=None,
        allow_excess_frames=False,
    )
    stored: Values = get_decoder(syntax).as_array(data, index=index, **options)[0]
    return stored >> shift if shift else stored
