"""Lookup tables as programs write them, made sound: of what the modality measured, of what is shown, of colours."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.tag import Tag

FULL_SCALE = 2**16 - 1  # of entries
Entries = npt.NDArray[Any]
PALETTE = [f"{color}PaletteColorLookupTable" for color in ("Red", "Green", "Blue")]


class Table(NamedTuple):
    """What maps values to others."""

    first: int  # value that is mapped to the first entry
    bits: int
    entries: Entries


def modality_table(dataset: Dataset) -> None:
    """Its first value is stored as pixels are (PS3.3 C.11.1.1), whatever its VR."""
    _mend_table(dataset, "ModalityLUTSequence", signed=dataset.get("PixelRepresentation") == 1)


def voi_table(dataset: Dataset) -> None:
    """Its first value is signed where the modality's output can be negative (PS3.3 C.11.2.1.1), whatever its VR.

    Where entries need fewer bits than are declared, as Agfa's do, those are the size they lie in: the largest is white.
    """
    _mend_table(dataset, "VOILUTSequence", signed=_can_be_negative(dataset))
    for item in dataset.get("VOILUTSequence") or []:
        entries = np.frombuffer(item.LUTData, "<u2").astype(np.uint32)
        if int(entries.max()).bit_length() != item.LUTDescriptor[2]:
            item.LUTData = (entries * FULL_SCALE // max(entries.max(), 1)).astype("<u2").tobytes()
            item.LUTDescriptor[2] = 16


def palette(dataset: Dataset) -> None:
    """Declared bits and stored ones that differ, both ways: the length tells, and what needs eight bits has eight."""
    parts = [(f"{name}Descriptor", f"{name}Data") for name in PALETTE]
    if dataset.PhotometricInterpretation != "PALETTE COLOR" or not all(data in dataset for _, data in parts):
        return
    tables = [_table(dataset[descriptor].value, dataset[data].value, dataset) for descriptor, data in parts]
    width = 1 if max(int(table.entries.max()) for table in tables) < 2**8 else 2
    for (descriptor, data), (first, bits, entries) in zip(parts, tables, strict=True):
        if bits not in {8, 16}:
            raise ValueError("a palette that is not what it says")
        mapped = _signed(first, dataset.PixelRepresentation == 1)
        dataset.add_new(Tag(descriptor), "SS", [len(entries) % 2**16, mapped, 8 * width])
        dataset.add_new(Tag(data), "OW", entries.astype(f"<u{width}").tobytes())


def _mend_table(dataset: Dataset, name: str, signed: bool) -> None:
    """Its entries, of a byte or two each, in words. Items without a table, which anonymizers leave behind, are none."""
    items = [item for item in dataset.get(name) or [] if item.get("LUTDescriptor") and item.get("LUTData")]
    dataset.pop(Tag(name), None)
    for item in items[:1]:
        first, bits, entries = _table(item.LUTDescriptor, item.LUTData, dataset)
        mended = Dataset()
        mended.update(item)
        bits = max(bits, int(entries.max()).bit_length())
        mended.add_new(Tag("LUTDescriptor"), "SS", [len(entries) % 2**16, _signed(first, signed), bits])
        mended.add_new(Tag("LUTData"), "OW", entries.astype("<u2").tobytes())
        dataset.add_new(Tag(name), "SQ", [mended])


def _table(descriptor: Sequence[int], data: Any, dataset: Dataset) -> Table:
    """Entries of a byte or a word, by their length. Raises ValueError where it fits neither."""
    count, first, bits = descriptor
    count = count & 0xFFFF or 2**16  # which does not fit sixteen bits (PS3.3 C.7.6.3.1.5)
    word = ">u2" if dataset.file_meta.TransferSyntaxUID == uid.ExplicitVRBigEndian else "<u2"
    data = data if isinstance(data, bytes) else np.atleast_1d(np.asarray(data, word)).tobytes()
    if len(data) not in {count, count + count % 2, 2 * count} or not 1 <= bits <= 16:
        raise ValueError("a table that is not what it says")
    return Table(first, bits, np.frombuffer(data, word if len(data) == 2 * count else np.uint8)[:count])


def _signed(value: int, signed: bool) -> int:
    """Sixteen bits that were read as a number without a sign."""
    return value - 2**16 if signed and value >= 2**15 else value


def _can_be_negative(dataset: Dataset) -> bool:
    """Whether what the modality makes of stored values can be below zero."""
    if "ModalityLUTSequence" in dataset:
        return False
    bits, signed = int(dataset.get("BitsStored") or 0), dataset.get("PixelRepresentation") == 1
    slope, intercept = dataset.get("RescaleSlope", 1), dataset.get("RescaleIntercept", 0)
    ends = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return bool(min(slope * end for end in ends) + intercept < 0)
