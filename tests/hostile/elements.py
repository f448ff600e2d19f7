"""DICOM files element by element, explicit and little-endian: what pydicom would not write."""

import struct

from pydicom import uid

from tests.hostile.case import HAND

LONG = {b"OB", b"OW", b"OF", b"OD", b"SQ", b"UN", b"UT"}  # their lengths have four bytes
OPEN = 2**32 - 1  # a length that is not told
SHUT = b"\xfe\xff\xdd\xe0" + bytes(4)  # the end of what is open
ROWS, COLUMNS, PIXELS = 0x00280010, 0x00280011, 0x7FE00010
SAMPLES, FRAMES, ALLOCATED, STORED = 0x00280002, 0x00280008, 0x00280100, 0x00280101


def element(tag: int, vr: bytes, value: bytes = b"", length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    start = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr
    return start + (struct.pack("<HI", 0, size) if vr in LONG else struct.pack("<H", size)) + value


def number(tag: int, value: int, vr: bytes = b"US") -> bytes:
    formats = {b"US": "<H", b"SS": "<h", b"UL": "<I", b"SL": "<i"}
    return element(tag, vr, struct.pack(formats[vr], value))


def square(side: int) -> tuple[bytes, bytes]:
    """So many rows and columns."""
    return number(ROWS, side), number(COLUMNS, side)


def item(content: bytes = b"", length: int | None = None) -> bytes:
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(content) if length is None else length) + content


def by_tag(*elements: bytes) -> dict[int, bytes]:
    tags = (struct.unpack_from("<HH", element) for element in elements)
    return {group << 16 | number: element for (group, number), element in zip(tags, elements, strict=True)}


PICTURE = by_tag(
    element(0x00080016, b"UI", uid.SecondaryCaptureImageStorage.encode().ljust(26, b"\0")),
    element(0x00080060, b"CS", b"OT"),
    number(SAMPLES, 1),
    element(0x00280004, b"CS", b"MONOCHROME2 "),
    *square(64),
    number(ALLOCATED, 8),
    number(STORED, 8),
    number(0x00280102, 7),
    number(0x00280103, 0),
    element(PIXELS, b"OB", HAND.tobytes()),
)


def elements(*changes: bytes, without: int | None = None) -> bytes:
    """Those of a sound grey picture in order, some changed or added, and one left out."""
    found = PICTURE | by_tag(*changes)
    return b"".join(found[tag] for tag in sorted(found) if tag != without)


def meta(syntax: str = uid.ExplicitVRLittleEndian) -> bytes:
    """Preamble, signature and what comes before the elements."""
    named = element(0x00020010, b"UI", syntax.encode() + bytes(len(syntax) % 2))
    return bytes(128) + b"DICM" + element(0x00020000, b"UL", struct.pack("<I", len(named))) + named


def file(*changes: bytes, without: int | None = None, syntax: str = uid.ExplicitVRLittleEndian) -> bytes:
    return meta(syntax) + elements(*changes, without=without)
