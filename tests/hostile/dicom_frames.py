"""DICOM whose compressed frames are damaged, lie, or never end."""

import struct
from collections.abc import Iterator
from functools import partial

import imagecodecs
from pydicom import uid

from tests.hostile import jpegs
from tests.hostile.case import HAND, KEPT, LARGE, Case, Status, changed, encoded, flips, scrambled, zeroed
from tests.hostile.elements import OPEN, PIXELS, SHUT, element, file, item, square

JPEG = encoded(HAND, "JPEG", quality=95)
JPEG_2000 = bytes(imagecodecs.jpeg2k_encode(HAND, level=0, reversible=True))


def even(data: bytes) -> bytes:
    return data + bytes(len(data) % 2)


def frames(syntax: str, *fragments: bytes, offsets: bytes = b"", end: bytes = SHUT, side: int = 64) -> bytes:
    """A file with these fragments as its pixels."""
    stream = b"".join(item(even(content)) for content in (offsets, *fragments)) + end
    return file(*square(side), element(PIXELS, b"OB", stream, OPEN), syntax=syntax)


def literal(pixels: bytes) -> bytes:
    """Run-length encoding without any runs."""
    parts = (pixels[at : at + 64] for at in range(0, len(pixels), 64))
    return b"".join(bytes([len(part) - 1]) + part for part in parts)


def runs(content: bytes, segments: int = 1, start: int = 64) -> bytes:
    """A frame of run lengths behind its sixteen numbers."""
    return struct.pack("<16I", segments, start, *[0] * 14) + content


RUNS = runs(literal(HAND.tobytes()))
CODED: dict[str, bytes] = {
    uid.RLELossless: RUNS,
    uid.JPEGBaseline8Bit: JPEG,
    uid.JPEGLosslessSV1: bytes(imagecodecs.jpeg8_encode(HAND, lossless=True)),
    uid.JPEGLSLossless: bytes(imagecodecs.jpegls_encode(HAND)),
    uid.JPEG2000Lossless: JPEG_2000,
}


def damaged() -> Iterator[Case]:
    for syntax, frame in CODED.items():
        yield from damaged_frame(syntax, f"DICOM ({uid.UID(syntax).keyword})", frame)


def damaged_frame(syntax: str, name: str, frame: bytes) -> Iterator[Case]:
    whole = frames(syntax, frame)
    start = whole.index(frame)
    yield Case(name, whole, 200)
    for kept in KEPT:
        yield Case(f"{name}, cut after {kept:.0%} of its frame", whole[: start + int(kept * len(frame))], 400)
        yield Case(f"{name}, {kept:.0%} of its frame", frames(syntax, frame[: int(kept * len(frame))]), 400)
    status: Status = {200, 400} if frame is JPEG_2000 else 400  # whose zeros mean that there is no more detail
    yield Case(f"{name}, half zeroed", frames(syntax, zeroed(frame, len(frame) // 8, len(frame) - 2)), status)
    yield Case(f"{name} without its end", whole[:-8], 200)  # its fragment is whole
    yield Case(f"{name}, a byte less than its fragment", whole[:-9], 400)
    yield Case(f"{name}, an empty frame", frames(syntax, b""), 400)
    yield Case(f"{name}, no frame", frames(syntax), 400)
    yield Case(f"{name}, junk as its frame", frames(syntax, b"junk" * 500), 400)
    yield Case(f"{name} that is twice as high and wide", frames(syntax, frame, side=128), 400)
    yield Case(f"{name} that claims 6000 × 6000", frames(syntax, frame, side=6000), 400)
    yield from flips(f"{name} data", whole, start + len(frame) // 2, len(whole) - 10, {200, 400}, 3)
    yield from scrambled(name, whole, 3)
    other = next(key for key in CODED if key != syntax)
    yield Case(f"{name} that holds {uid.UID(other).keyword}", frames(syntax, CODED[other]), 400)
    plain = uid.ExplicitVRLittleEndian
    yield Case(f"{name}, said to be plain", frames(plain, frame), 400 if frame is RUNS else 200)


def run_lengths() -> Iterator[Case]:
    content, coded = RUNS[64:], partial(frames, uid.RLELossless)
    for segments in (0, 2, 15, 16, 2**32 - 1):
        yield Case(f"RLE DICOM of {segments} segments", coded(runs(content, segments)), 400)
    for start in (0, 10, 65, 5000, 2**31, 2**32 - 1):
        yield Case(f"RLE DICOM, its segment at {start}", coded(runs(content, start=start)), 400)
    yield Case("RLE DICOM, only its numbers", coded(runs(b"")), 400)
    yield Case("RLE DICOM, half of its numbers", coded(RUNS[:32]), 400)
    yield Case("RLE DICOM of twice as many pixels", coded(RUNS + content), {200, 400})
    yield Case("RLE DICOM of a million runs too many", coded(RUNS + b"\x81\0" * 10**6), {200, 400, 413})
    yield Case("RLE DICOM of a million numbers that do nothing", coded(runs(b"\x80" * 10**6 + content)), 200)
    side = 128 * 49
    blank = runs(b"\x81\0" * (side**2 // 128))  # in runs of 128 pixels
    yield Case("RLE DICOM just within the limit", coded(blank, offsets=bytes(4), side=side), {200, 413})


def codecs() -> Iterator[Case]:
    syntax = uid.JPEGBaseline8Bit
    for side in (256, 6000, 65_535):
        lying = jpegs.claiming(jpegs.BASELINE, side, side)
        yield Case(f"DICOM, a JPEG of 128 × 128 that claims {side}", frames(syntax, lying, side=128), 400)
    both = jpegs.claiming(jpegs.BASELINE, 6000, 6000)
    yield Case("DICOM, a JPEG of 128 × 128, and both claim 6000", frames(syntax, both, side=6000), 400)
    yield Case("DICOM, a JPEG with 60,000 scans", frames(syntax, jpegs.scans(1600, 60_000), side=1600), {400, 413})
    comments = jpegs.with_segment(jpegs.segment(0xFE, b"") * 100_000)
    yield Case("DICOM, a JPEG with 100,000 comments", frames(syntax, comments, side=128), {400, 413})
    code, at = JPEG_2000, JPEG_2000.index(b"\xff\x4f\xff\x51")
    size = struct.pack(">II", 6000, 6000)
    yield Case("DICOM, a JPEG 2000 that claims 6000", frames(uid.JPEG2000, changed(code, at + 8, size)), 400)
    both_claim = changed(changed(code, at + 8, size), at + 24, size)
    yield Case("DICOM, a JPEG 2000 of 64, and both claim 6000", frames(uid.JPEG2000, both_claim, side=6000), 400)
    tiles = changed(code, at + 24, struct.pack(">II", 1, 1))
    yield Case("DICOM, a JPEG 2000 in 4,096 tiles, it says", frames(uid.JPEG2000, tiles), 400)
    parts = changed(code, at + 40, b"\x40\0")
    yield Case("DICOM, a JPEG 2000 of 16,384 colours", frames(uid.JPEG2000, parts), 400)
    nowhere = changed(code, at + 16, b"\xff" * 8)
    yield Case("DICOM, a JPEG 2000 that begins outside itself", frames(uid.JPEG2000, nowhere), 400)
    large = bytes(imagecodecs.jpegls_encode(LARGE)).replace(b"\0\x80\0\x80", b"\x7f\xff\x7f\xff", 1)
    yield Case("DICOM, a JPEG-LS that claims 32767", frames(uid.JPEGLSLossless, large, side=128), 400)


def fragments() -> Iterator[Case]:
    syntax = uid.JPEGBaseline8Bit
    parts = [JPEG[at : at + 100] for at in range(0, len(JPEG), 100)]
    yield Case("DICOM, a JPEG in many fragments", frames(syntax, *parts), 200)
    yield Case("DICOM, its fragments in disorder", frames(syntax, *parts[::-1]), 400)
    yield Case("DICOM, 300,000 empty fragments", frames(syntax, *[b""] * 300_000, JPEG), {200, 400, 413})
    for offset in (4, 2**31, 2**32 - 1):
        table = struct.pack("<I", offset)
        yield Case(f"DICOM, a frame at {offset}, it says", frames(syntax, JPEG, offsets=table), {200, 400})
    yield Case("DICOM, 100,000 offsets of one frame", frames(syntax, JPEG, offsets=bytes(400_000)), {200, 400})
    yield Case("DICOM, three bytes of offsets", frames(syntax, JPEG, offsets=b"abc"), {200, 400})
    yield Case("DICOM, a fragment of 4 GB", frames(syntax, JPEG, end=item(b"", 2**32 - 2)), {200, 400})
    whole = frames(syntax, JPEG)
    at = whole.index(JPEG) - 4
    yield Case("DICOM, its only fragment of 4 GB", changed(whole, at, b"\xfe\xff\xff\xff"), {200, 400})
    yield Case("DICOM, its only fragment of no bytes", changed(whole, at, bytes(4)), 400)
