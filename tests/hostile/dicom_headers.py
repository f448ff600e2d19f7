"""DICOM whose header lies, or leaves out what it must say."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset

from tests import dicoms
from tests.dicoms import dicom
from tests.hostile.case import HAND, WIDE, Case, Status, extremes, spoiled
from tests.hostile.elements import ALLOCATED, FRAMES, PIXELS, ROWS, SAMPLES, STORED, element, file, number, square

CENTER, WIDTH, INTERCEPT, SLOPE = 0x00281050, 0x00281051, 0x00281052, 0x00281053
COUNTS: dict[str, Status] = {  # of frames
    **{"0": {200, 400}, "-1": 400, "2": 400, "1.5": 400, "many": 400},
    **{"1e9": {400, 413}, "10001": 413, "2147483648": 413, "9" * 60: {400, 413}},
}
NUMBERS: dict[str, Status] = {"nan": {400, 422}, "inf": {400, 422}, "1e999": {400, 422}, "a": 400}
WIDTHS: dict[str, Status] = {
    **{"nan": 200, "inf": 200, "1e999": 200, "-1": 200, "0": 200},  # a window that makes no sense is as good as none
    **{"a": 200, "9" * 60_000: {200, 400}},
}
NO_PICTURE: dict[str, Any] = {"Rows": None, "Columns": None, "PixelData": None}


def sides() -> Iterator[Case]:
    wrong: dict[str, tuple[bytes, Status]] = {
        "empty rows": (element(ROWS, b"US"), {400, 422}),
        "rows 0": (number(ROWS, 0), {400, 422}),
        "rows 1": (number(ROWS, 1), 422),
        "negative rows": (number(ROWS, -64, b"SS"), {400, 422}),
        "four-byte rows": (number(ROWS, 64, b"UL"), {200, 400}),
        "2**31 rows": (number(ROWS, 2**31, b"UL"), 413),
        "2**32 - 64 rows, signed": (number(ROWS, -64, b"SL"), {400, 422}),
        "rows of 65,535": (number(ROWS, 65_535), 400),
        "two rows": (element(ROWS, b"US", b"\x40\0\x40\0"), 400),
        "rows as text": (element(ROWS, b"LO", b"many"), 400),
        "rows as a sequence": (element(ROWS, b"SQ", b"", length=0), {400, 422}),
        "three bytes of rows": (element(ROWS, b"US", b"\x40\0\0"), 400),
        "one row too many": (number(ROWS, 65), 400),
    }
    yield Case("DICOM, no rows", file(without=ROWS), {400, 422})
    for name, (rows, status) in wrong.items():
        yield Case(f"DICOM, {name}", file(rows), status)
    for width, height in ((1, 1), (15, 200), (1, 20_000)):
        yield Case(f"DICOM of {width} × {height}", dicom(np.zeros((height, width), np.uint8)), 422)
    for syntax in (uid.ExplicitVRLittleEndian, uid.RLELossless, uid.JPEGBaseline8Bit, uid.JPEG2000, uid.JPEGLSLossless):
        yield Case(f"DICOM ({syntax.keyword}) that claims 65535 × 65535", file(*square(65_535), syntax=syntax), 413)
    yield Case("DICOM of 64 × 64 that claims 6000 × 6000", file(*square(6000)), 400)


def counts() -> Iterator[Case]:
    for name, tag, numbers in (
        ("bits allocated", ALLOCATED, (0, 7, 24, 64, 65_535)),
        ("bits stored", STORED, (0,)),
        ("samples", SAMPLES, (0, 2, 3, 5, 65_535)),
    ):
        for value in numbers:
            yield Case(f"DICOM, {value} {name}", file(number(tag, value)), 400)
    yield Case("DICOM, no bits allocated", file(without=ALLOCATED), 400)
    yield Case("DICOM, no bits stored", file(without=STORED), 200)
    yield Case("DICOM, no samples", file(without=SAMPLES), 200)
    for value in (9, 65_535):  # more than allocated, of which all are stored
        yield Case(f"DICOM, {value} bits stored", file(number(STORED, value)), 200)
    for count, status in COUNTS.items():
        yield Case(f"DICOM of {count} frames", file(element(FRAMES, b"IS", text(count))), status)
    for color in ("", "RGB", "YBR_FULL", "PALETTE COLOR", "NONSENSE"):
        claiming = dicom(HAND, PhotometricInterpretation=color)
        yield Case(f"grey DICOM that claims {color or 'no'} colours", claiming, {200, 400})
    yield Case("DICOM of colours in 5 planes", dicom(np.stack([HAND] * 3, -1), PlanarConfiguration=5), 400)


def kinds() -> Iterator[Case]:
    yield Case("DICOM without pixels", file(without=PIXELS), 422)
    yield Case("DICOM without anything", file()[:132], {400, 422})
    for kind in (uid.BasicTextSRStorage, uid.EncapsulatedPDFStorage, uid.RTPlanStorage):
        yield Case(f"DICOM, {kind.name}", dicom(HAND, SOPClassUID=kind, **NO_PICTURE), 422)
    yield Case("DICOM, a dose", dicom(WIDE, SOPClassUID=uid.RTDoseStorage), 422)
    record = dicoms.item(ReferencedFileID=["..", "..", "etc", "passwd"], DirectoryRecordType="IMAGE")
    kind = uid.MediaStorageDirectoryStorage
    yield Case("DICOMDIR", dicom(HAND, SOPClassUID=kind, DirectoryRecordSequence=[record], **NO_PICTURE), 422)
    for syntax in ("1.2.3.4.5", uid.MPEG2MPML, "1.2.840.10008.1.2.4.94", "1." * 31 + "1", "hello"):
        yield Case(f"DICOM of transfer syntax {syntax}", file(syntax=syntax), 415)


def lut(count: int, bits: int = 16, entries: int = 256) -> list[Dataset]:
    return [dicoms.item(LUTDescriptor=[count, 0, bits], LUTData=bytes(2 * entries), ModalityLUTType="US")]


def palette(count: int, data: bytes, bits: int = 16) -> dict[str, Any]:
    parts = {"Descriptor": [count, 0, bits], "Data": data}
    colors = ("Red", "Green", "Blue")
    tables = {f"{color}PaletteColorLookupTable{part}": parts[part] for color in colors for part in parts}
    return {"PhotometricInterpretation": "PALETTE COLOR", **tables}


def tables() -> Iterator[Case]:
    for name in ("ModalityLUTSequence", "VOILUTSequence"):
        luts: dict[str, tuple[Any, Status]] = {
            "": (lut(256), 200),
            " shorter than it says": (lut(256, entries=10), 400),
            " of 65,536 entries, it says": (lut(0), 400),
            " of 0 bits": (lut(256, 0), 400),
            " of 65,535 bits": (lut(256, 65_535), 400),
            " without a table": ([dicoms.item(LUTExplanation="none")], 200),
        }
        for wrong, (items, status) in luts.items():
            yield Case(f"DICOM, {name}{wrong}", dicom(HAND, **{name: items}), status)
    whole = bytes(range(256)) * 2
    yield Case("DICOM, palette", dicom(HAND, **palette(256, whole)), 200)
    # By the standard, colours beyond a palette are its last.
    yield Case("DICOM, colours beyond its palette", dicom(HAND, **palette(16, bytes(32))), 200)
    yield Case("DICOM, palette shorter than it says", dicom(HAND, **palette(256, bytes(20))), 400)
    yield Case("DICOM, palette of 65,536 colours, it says", dicom(HAND, **palette(0, whole)), 400)
    yield Case("DICOM, palette of 7 bits", dicom(HAND, **palette(256, whole, 7)), 400)
    halved = palette(256, whole) | {"RedPaletteColorLookupTableData": None}
    yield Case("DICOM, palette without red", dicom(HAND, **halved), 400)


def values() -> Iterator[Case]:
    for kind in (np.float32, np.float64):
        for value in (np.nan, np.inf, -np.inf):
            yield Case(f"DICOM of {kind.__name__}, one {value}", dicom(spoiled(kind, value)), 422)
        yield Case(f"DICOM of the largest {kind.__name__}", dicom(extremes(kind)), {200, 422})
    for factor, status in NUMBERS.items():
        yield Case(f"DICOM, slope {factor}", rescaled(factor, "0"), status)
        yield Case(f"DICOM, intercept {factor}", rescaled("1", factor), status)
    yield Case("DICOM, slope 1e308", rescaled("1e308", "0"), {400, 422})  # what it makes of a pixel is infinite
    yield Case("DICOM, intercept 1e308", rescaled("1", "1e308"), {200, 400, 422})
    for width, status in WIDTHS.items():
        yield Case(f"DICOM, a window {width[:9]} wide", windowed("40", width), status)
    yield Case("DICOM, 20,000 windows", windowed("40\\" * 20_000 + "40", "80\\" * 20_000 + "80"), 200)
    region = element(0x00180015, b"CS", b"HAND" * 15_000)
    yield Case("DICOM, 60,000 bytes of body part", file(region), 200)


def rescaled(slope: str, intercept: str) -> bytes:
    return file(element(INTERCEPT, b"DS", text(intercept)), element(SLOPE, b"DS", text(slope)))


def windowed(center: str, width: str) -> bytes:
    return file(element(CENTER, b"DS", text(center)), element(WIDTH, b"DS", text(width)))


def text(value: str) -> bytes:
    return value.encode().ljust(len(value) + len(value) % 2)
