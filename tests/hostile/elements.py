"""DICOM files element by element, explicit and little-endian: what pydicom would not write."""

import struct
from collections.abc import Mapping

from pydicom import uid

from tests.hostile.case import HAND

LONG = {b"OB", b"OW", b"OF", b"OD", b"SQ", b"UN", b"UT"}  # their lengths have four bytes
OPEN = 2**32 - 1  # a length that is not told
ROWS, COLUMNS, PIXELS, PRIVATE, REGION = 0x00280010, 0x00280011, 0x7FE00010, 0x00091001, 0x00082218
SAMPLES, FRAMES, ALLOCATED, STORED = 0x00280002, 0x00280008, 0x00280100, 0x00280101
ITEM, ITEM_END, SEQUENCE_END = (b"\xfe\xff" + tag + b"\xe0" for tag in (b"\x00", b"\x0d", b"\xdd"))


def element(tag: int, vr: bytes, value: bytes = b"", length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    start = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr
    return start + (struct.pack("<HI", 0, size) if vr in LONG else struct.pack("<H", size)) + value


def number(tag: int, value: int, vr: bytes = b"US") -> bytes:
    formats = {b"US": "<H", b"SS": "<h", b"UL": "<I", b"SL": "<i"}
    return element(tag, vr, struct.pack(formats[vr], value))


def item(content: bytes = b"", length: int | None = None) -> bytes:
    return ITEM + struct.pack("<I", len(content) if length is None else length) + content


PICTURE = {
    0x00080016: element(0x00080016, b"UI", uid.SecondaryCaptureImageStorage.encode().ljust(26, b"\0")),
    0x00080060: element(0x00080060, b"CS", b"OT"),
    SAMPLES: number(SAMPLES, 1),
    0x00280004: element(0x00280004, b"CS", b"MONOCHROME2 "),
    ROWS: number(ROWS, 64),
    COLUMNS: number(COLUMNS, 64),
    ALLOCATED: number(ALLOCATED, 8),
    STORED: number(STORED, 8),
    0x00280102: number(0x00280102, 7),
    0x00280103: number(0x00280103, 0),
    PIXELS: element(PIXELS, b"OB", HAND.tobytes()),
}


def elements(changes: Mapping[int, bytes | None] = {}) -> bytes:
    """Those of a sound grey picture in order, some changed, added or, with None, dropped."""
    found = {**PICTURE, **changes}
    return b"".join(found[tag] or b"" for tag in sorted(found))


def meta(syntax: str = uid.ExplicitVRLittleEndian) -> bytes:
    """Preamble, signature and what comes before the elements."""
    named = element(0x00020010, b"UI", syntax.encode() + bytes(len(syntax) % 2))
    return bytes(128) + b"DICM" + element(0x00020000, b"UL", struct.pack("<I", len(named))) + named


def file(changes: Mapping[int, bytes | None] = {}, syntax: str = uid.ExplicitVRLittleEndian) -> bytes:
    return meta(syntax) + elements(changes)
