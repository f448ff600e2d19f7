"""DICOM whose elements are too many, too deep, too long or in the wrong place."""

import zlib
from collections.abc import Iterator

import numpy as np
from pydicom import uid

from tests.dicoms import dicom
from tests.hostile import deflate
from tests.hostile.case import HAND, KEPT, Case, Status, changed, flips, scrambled
from tests.hostile.elements import (
    ITEM_END,
    OPEN,
    PICTURE,
    PIXELS,
    PRIVATE,
    REGION,
    ROWS,
    SEQUENCE_END,
    element,
    elements,
    file,
    item,
    meta,
    number,
)

WHOLE = file()
START = WHOLE.index(PICTURE[PIXELS])
DEFLATED = uid.DeflatedExplicitVRLittleEndian
SHUT = SEQUENCE_END + bytes(4)


def cases() -> Iterator[Case]:
    yield from cut()
    yield from places()
    yield from depths()
    yield from crowds()
    yield from syntaxes()


def cut() -> Iterator[Case]:
    """Cut before its pixels a file is damaged, and one without a picture as well."""
    yield Case("DICOM, cut in the preamble", WHOLE[:100], 415)
    yield Case("DICOM, cut in the signature", WHOLE[:131], 415)
    for size in (132, 140, 150, 200, 250, START, START + 6):
        yield Case(f"DICOM, cut after {size} bytes", WHOLE[:size], {400, 422})
    for kept in KEPT:
        size = START + 12 + int(kept * HAND.size)
        yield Case(f"DICOM, {kept:.0%} of its pixels", WHOLE[:size], 400)
    yield Case("DICOM, one byte short", WHOLE[:-1], 400)
    yield from flips("DICOM pixels", WHOLE, START + 12, len(WHOLE), 200)  # nothing tells
    yield from scrambled("DICOM header", WHOLE[:START], 8)
    yield from scrambled("DICOM", WHOLE)
    packed = meta(DEFLATED) + deflate.raw(elements())
    for kept in (0.5, 0.75, 0.9):
        yield Case(f"deflated DICOM, cut after {kept:.0%}", packed[: int(kept * len(packed))], 400)
    yield Case("deflated DICOM, one byte short", packed[:-1], 400)
    half = (len(packed) + 300) // 2
    yield Case("deflated DICOM, half zeroed", packed[:half] + bytes(len(packed) - half), 400)
    yield Case("deflated DICOM that is not deflated", meta(DEFLATED) + elements(), 400)
    yield Case("deflated DICOM with zlib's header", meta(DEFLATED) + zlib.compress(elements()), {200, 400})


def places() -> Iterator[Case]:
    pixels, rest = PICTURE[PIXELS], elements({PIXELS: None})
    yield Case("DICOM, pixels before everything", meta() + pixels + rest, {400, 422})
    yield Case("DICOM, pixels before rows", meta() + elements({ROWS: None}) + PICTURE[ROWS], {400, 422})
    yield Case("DICOM, pixels twice", WHOLE + pixels, {200, 400})
    yield Case("DICOM, elements behind its pixels", WHOLE + element(0x7FE10010, b"LO", b"more"), 200)
    yield Case("DICOM, padding behind its pixels", WHOLE + element(0xFFFCFFFC, b"OB", bytes(1000)), 200)
    yield Case("DICOM, rows twice", file({PRIVATE: number(ROWS, 64)}), {200, 400})
    yield Case("DICOM, more pixels than it needs", file({PIXELS: element(PIXELS, b"OB", bytes(9000))}), {200, 400})
    yield Case("DICOM, odd number of pixels", dicom(HAND[:63, :63]), 200)
    odd = element(0x00080070, b"LO", b"odd")
    yield Case("DICOM, an odd length", file({0x00080070: odd}), {200, 400})
    for length in (5000, 2**31, 2**32 - 2):
        beyond = element(PRIVATE, b"OB", b"short", length=length)
        yield Case(f"DICOM, an element of {length} bytes, it says", file({PRIVATE: beyond}), {400, 422})
        longer = element(PIXELS, b"OB", HAND.tobytes(), length=length)
        yield Case(f"DICOM, pixels of {length} bytes, it says", file({PIXELS: longer}), 400)
    yield Case("DICOM, a VR that is none", file({PRIVATE: element(PRIVATE, b"??", b"ab")}), {200, 400, 422})
    yield Case("DICOM, junk behind its signature", bytes(128) + b"DICM" + b"junk" * 100, {400, 422})
    yield Case("DICOM, zeros behind its signature", bytes(128) + b"DICM" + bytes(1000), {400, 422})
    yield Case("DICOM, a group length of 4 GB", changed(WHOLE, 140, b"\xff" * 4), {200, 400})


def sequence(tag: int, content: bytes, length: int | None = None) -> bytes:
    return element(tag, b"SQ", content, length)


def nested(tag: int, depth: int, told: bool = False) -> bytes:
    """Sequences in sequences; `told`: each says how long it is."""
    if not told:
        return sequence(tag, item(b"", OPEN), OPEN) * depth + (ITEM_END + bytes(4) + SHUT) * depth
    inner = b""
    for _ in range(depth):
        inner = sequence(tag, item(inner))
    return inner


def depths() -> Iterator[Case]:
    for tag, name in ((PRIVATE, "private"), (REGION, "region")):
        for depth in (1000, 20_000):
            yield Case(f"DICOM, {depth} {name} sequences deep", file({tag: nested(tag, depth)}), {400, 413})
        yield Case(f"DICOM, 5 {name} sequences deep", file({tag: nested(tag, 5)}), 200)
        yield Case(
            f"DICOM, 1000 {name} sequences of told lengths deep", file({tag: nested(tag, 1000, True)}), told(tag)
        )
        open = sequence(tag, item(b"", OPEN), OPEN)
        yield Case(f"DICOM, a {name} sequence without end", file({tag: open}), {400, 422})
        yield Case(f"DICOM, {name} junk instead of items", file({tag: sequence(tag, b"junk" * 9)}), skipped(tag))
        yield Case(
            f"DICOM, an item of 4 GB in a {name} sequence", file({tag: sequence(tag, item(b"", 2**31))}), skipped(tag)
        )
    unknown = element(PRIVATE, b"UN", item(b"", OPEN), OPEN)
    yield Case("DICOM, an unknown element without end", file({PRIVATE: unknown}), {400, 422})
    deflated = meta(DEFLATED) + deflate.raw(elements({PRIVATE: nested(PRIVATE, 20_000)}))
    yield Case("deflated DICOM, 20000 private sequences deep", deflated, {400, 413})


def told(tag: int) -> Status:
    """Nobody need look into what tells its length, unless it is asked about."""
    return 200 if tag == PRIVATE else {200, 400, 413}


def skipped(tag: int) -> Status:
    return 200 if tag == PRIVATE else {200, 400}


def many(count: int) -> bytes:
    """Private elements of two bytes each, in order."""
    kind = np.dtype([("group", "<u2"), ("number", "<u2"), ("vr", "S2"), ("length", "<u2"), ("value", "S2")])
    found = np.empty(count, kind)
    numbers = np.arange(count)
    found["group"], found["number"] = 9 + 2 * (numbers // 60_000), 0x1000 + numbers % 60_000  # below 0x0028
    found["vr"], found["length"], found["value"] = b"CS", 2, b"OK"
    return found.tobytes()


def crowds() -> Iterator[Case]:
    yield Case("DICOM, 20,000 elements", file({PRIVATE: many(20_000)}), 200)
    million = elements({PRIVATE: many(900_000)})  # as many as there are odd groups for
    yield Case("DICOM, 900,000 elements", meta() + million, {200, 413})
    yield Case("deflated DICOM, 900,000 elements", meta(DEFLATED) + deflate.raw(million), {200, 413})
    items = sequence(PRIVATE, item() * 500_000 + SHUT, OPEN)
    yield Case("DICOM, 500,000 empty items", file({PRIVATE: items}), {200, 413})
    regions = sequence(REGION, item() * 500_000 + SHUT, OPEN)
    yield Case("DICOM, 500,000 body regions", file({REGION: regions}), {200, 400, 413})
    full = sequence(REGION, item(many(100_000)))
    yield Case("DICOM, a body region of 100,000 elements", file({REGION: full}), {200, 413})


def syntaxes() -> Iterator[Case]:
    """Elements written in one way under the name of another."""
    implicit, big = dicom(HAND, uid.ImplicitVRLittleEndian), dicom(HAND, uid.ExplicitVRBigEndian)
    name = uid.ExplicitVRLittleEndian.encode()
    yield Case("DICOM, explicit, said to be implicit", file(syntax=uid.ImplicitVRLittleEndian), {200, 400})
    yield Case("DICOM, explicit, said to be big endian", file(syntax=uid.ExplicitVRBigEndian), {400, 422})
    yield Case("DICOM, implicit, said to be explicit", meta() + behind(implicit), {200, 400, 422})
    yield Case("DICOM, big endian, said to be little", meta() + behind(big), {400, 422})
    for coded in (uid.RLELossless, uid.JPEGBaseline8Bit, uid.JPEG2000, uid.JPEGLSLossless, uid.JPEGLosslessSV1):
        yield Case(f"DICOM, plain pixels, said to be {coded.keyword}", file(syntax=coded), 400)
    yield Case("DICOM, no transfer syntax", WHOLE.replace(name, b"\0" * len(name)), {200, 400, 415})


def behind(data: bytes) -> bytes:
    """What follows group 2."""
    return data[144 + int.from_bytes(data[140:144], "little") :]
