"""DICOM whose elements are too many, too deep, too long or in the wrong place."""

import zlib
from collections.abc import Iterator

import numpy as np
from pydicom import uid

from tests.dicoms import dicom
from tests.hostile import deflate
from tests.hostile.case import HAND, KEPT, SIDE, Case, Status, changed, flips, scrambled
from tests.hostile.elements import OPEN, PICTURE, PIXELS, ROWS, SHUT, element, elements, file, item, meta, square

WHOLE = file()
START = WHOLE.index(PICTURE[PIXELS])
PRIVATE, REGION = 0x00091001, 0x00082218
MUCH = 10**9


def deflated(before: bytes, zeros: int = 0, after: bytes = b"") -> bytes:
    return meta(uid.DeflatedExplicitVRLittleEndian) + deflate.raw(before, zeros, after)


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


def packed() -> Iterator[Case]:
    whole, start = deflated(elements()), meta(uid.DeflatedExplicitVRLittleEndian)
    for kept in (0.5, 0.75, 0.9):
        yield Case(f"deflated DICOM, cut after {kept:.0%}", whole[: int(kept * len(whole))], 400)
    yield Case("deflated DICOM, one byte short", whole[:-1], 400)
    half = (len(whole) + 300) // 2
    yield Case("deflated DICOM, half zeroed", whole[:half] + bytes(len(whole) - half), 400)
    yield Case("deflated DICOM that is not deflated", start + elements(), 400)
    yield Case("deflated DICOM with zlib's header", start + zlib.compress(elements()), {200, 400})
    yield Case("DICOM deflated twice", deflated(whole), 400)
    yield Case("DICOM deflated twice without its beginning", deflated(deflate.raw(elements())), {400, 422})
    yield Case("deflated DICOM of nothing but zeros", deflated(b"", MUCH), {400, 413})
    beside = element(PRIVATE, b"OB", length=MUCH)
    before, after = elements(beside).split(beside)
    yield Case("deflated DICOM with a gigabyte beside", deflated(before + beside, MUCH, after), 413)
    yield Case("deflated DICOM of 12000 × 12000, sound", blank(12_000), 413)
    yield Case("deflated DICOM just within the limit", blank(SIDE), {200, 413})


def blank(side: int) -> bytes:
    return deflated(elements(*square(side), element(PIXELS, b"OB", length=side**2)), side**2)


def places() -> Iterator[Case]:
    pixels, rest = PICTURE[PIXELS], elements(without=PIXELS)
    yield Case("DICOM, pixels before everything", meta() + pixels + rest, {400, 422})
    yield Case("DICOM, pixels before rows", meta() + elements(without=ROWS) + PICTURE[ROWS], {400, 422})
    yield Case("DICOM, pixels twice", WHOLE + pixels, {200, 400})
    yield Case("DICOM, elements behind its pixels", WHOLE + element(0x7FE10010, b"LO", b"more"), 200)
    yield Case("DICOM, padding behind its pixels", WHOLE + element(0xFFFCFFFC, b"OB", bytes(1000)), 200)
    yield Case("DICOM, rows twice", file(PICTURE[0x00080060] + PICTURE[ROWS]), {200, 400})
    yield Case("DICOM, more pixels than it needs", file(element(PIXELS, b"OB", bytes(9000))), {200, 400})
    yield Case("DICOM, odd number of pixels", dicom(HAND[:63, :63]), 200)
    yield Case("DICOM, an odd length", file(element(0x00080070, b"LO", b"odd")), {200, 400})
    for length in (5000, 2**31, 2**32 - 2):
        beyond = element(PRIVATE, b"OB", b"short", length=length)
        yield Case(f"DICOM, an element of {length} bytes, it says", file(beyond), {400, 422})
        longer = element(PIXELS, b"OB", HAND.tobytes(), length=length)
        yield Case(f"DICOM, pixels of {length} bytes, it says", file(longer), 200)  # all that are needed are there
    yield Case("DICOM, a VR that is none", file(element(PRIVATE, b"??", b"ab")), {200, 400, 422})
    yield Case("DICOM, junk behind its signature", bytes(128) + b"DICM" + b"junk" * 100, {400, 422})
    yield Case("DICOM, zeros behind its signature", bytes(128) + b"DICM" + bytes(1000), {400, 422})
    yield Case("DICOM, a group length of 4 GB", changed(WHOLE, 140, b"\xff" * 4), {200, 400})


def opened(tag: int) -> bytes:
    """The beginning of a sequence and an item that do not tell their lengths."""
    return element(tag, b"SQ", item(length=OPEN), OPEN)


def nested(tag: int, depth: int) -> bytes:
    return opened(tag) * depth + (b"\xfe\xff\x0d\xe0" + bytes(4) + SHUT) * depth


def nested_and_told(tag: int, depth: int) -> bytes:
    """The same, each telling its length."""
    inner = b""
    for _ in range(depth):
        inner = element(tag, b"SQ", item(inner))
    return inner


def depths() -> Iterator[Case]:
    # Nobody need look into what tells its length, unless it is asked about.
    sorts: list[tuple[int, str, Status, Status]] = [
        (PRIVATE, "private", 200, 200),
        (REGION, "region", {200, 400}, {200, 400, 413}),
    ]
    for tag, name, skipped, told in sorts:
        for depth in (1000, 20_000):
            yield Case(f"DICOM, {depth} {name} sequences deep", file(nested(tag, depth)), {400, 413})
        yield Case(f"DICOM, 5 {name} sequences deep", file(nested(tag, 5)), 200)
        yield Case(f"DICOM, 1000 {name} sequences of told lengths deep", file(nested_and_told(tag, 1000)), told)
        yield Case(f"DICOM, a {name} sequence without end", file(opened(tag)), {400, 422})
        yield Case(f"DICOM, {name} junk instead of items", file(element(tag, b"SQ", b"junk" * 9)), skipped)
        huge = element(tag, b"SQ", item(length=2**31))
        yield Case(f"DICOM, an item of 4 GB in a {name} sequence", file(huge), skipped)
    unknown = element(PRIVATE, b"UN", item(length=OPEN), OPEN)
    yield Case("DICOM, an unknown element without end", file(unknown), {400, 422})
    deep = deflated(elements(nested(PRIVATE, 20_000)))
    yield Case("deflated DICOM, 20000 private sequences deep", deep, {400, 413})


def many(count: int) -> bytes:
    """Private elements of two bytes each, in order."""
    kind = np.dtype([("group", "<u2"), ("number", "<u2"), ("vr", "S2"), ("length", "<u2"), ("value", "S2")])
    found = np.empty(count, kind)
    numbers = np.arange(count)
    found["group"], found["number"] = 9 + 2 * (numbers // 60_000), 0x1000 + numbers % 60_000  # below 0x0028
    found["vr"], found["length"], found["value"] = b"CS", 2, b"OK"
    return found.tobytes()


def crowds() -> Iterator[Case]:
    yield Case("DICOM, 20,000 elements", file(many(20_000)), 200)
    million = elements(many(900_000))  # as many as there are odd groups for
    yield Case("DICOM, 900,000 elements", meta() + million, {200, 413})
    yield Case("deflated DICOM, 900,000 elements", deflated(million), {200, 413})
    items = item() * 500_000 + SHUT
    yield Case("DICOM, 500,000 empty items", file(element(PRIVATE, b"SQ", items, OPEN)), {200, 413})
    yield Case("DICOM, 500,000 body regions", file(element(REGION, b"SQ", items, OPEN)), {200, 400, 413})
    full = element(REGION, b"SQ", item(many(100_000)))
    yield Case("DICOM, a body region of 100,000 elements", file(full), {200, 413})


def syntaxes() -> Iterator[Case]:
    """Elements written in one way under the name of another."""
    implicit, big = dicom(HAND, uid.ImplicitVRLittleEndian), dicom(HAND, uid.ExplicitVRBigEndian)
    name = uid.ExplicitVRLittleEndian.encode()
    yield Case("DICOM, explicit, said to be implicit", file(syntax=uid.ImplicitVRLittleEndian), {200, 400})
    yield Case("DICOM, explicit, said to be big endian", file(syntax=uid.ExplicitVRBigEndian), {400, 422})
    yield Case("DICOM, implicit, said to be explicit", meta() + behind(implicit), {200, 400, 422})
    yield Case("DICOM, big endian, said to be little", meta() + behind(big), {400, 422})
    for coded in (uid.RLELossless, uid.JPEGBaseline8Bit, uid.JPEG2000, uid.JPEGLSLossless, uid.JPEGLosslessSV1):
        yield Case(f"DICOM, plain pixels, said to be {coded.keyword}", file(syntax=coded), 200)
    yield Case("DICOM, no transfer syntax", WHOLE.replace(name, b"\0" * len(name)), {200, 400, 415})


def behind(data: bytes) -> bytes:
    """What follows group 2."""
    return data[144 + int.from_bytes(data[140:144], "little") :]
