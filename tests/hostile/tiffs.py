"""TIFF, tag by tag: lying counts, circles of directories, strips that are not there."""

import struct
import zlib
from collections.abc import Iterator, Mapping

import numpy as np
from PIL import Image

from tests.hostile import deflate
from tests.hostile.case import HAND, Case, changed, cuts, encoded, extremes, flips, scrambled, sizes, spoiled, zeroed

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
OFFSETS, SAMPLES, ROWS, COUNTS = 273, 277, 278, 279
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, DESCRIPTION, RESOLUTION = 322, 323, 324, 325, 270, 282
SAMPLE_FORMAT = 339
SHORT, LONG, RATIONAL = 3, 4, 5
SHORTS = {BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, SAMPLE_FORMAT}
FIRST = 8  # where the pixels begin, right behind the header
STRIP = HAND.tobytes()
DEFLATED = zlib.compress(STRIP)
PICTURE = {WIDTH: 64, HEIGHT: 64, BITS: 8, COMPRESSION: 1, PHOTOMETRIC: 1, OFFSETS: FIRST, SAMPLES: 1, ROWS: 64}

Entry = tuple[int, int, int]  # type, count, value
Value = Entry | int | None  # a number alone: one, of the type that the tag should have


def entry(order: str, tag: int, entry: Entry | int) -> bytes:
    kind, count, value = entry if isinstance(entry, tuple) else (SHORT if tag in SHORTS else LONG, 1, entry)
    packed = struct.pack(f"{order}HH", value, 0) if kind == SHORT and count == 1 else struct.pack(f"{order}I", value)
    return struct.pack(f"{order}HHI", tag, kind, count) + packed


def tiff(changes: Mapping[int, Value] = {}, strip: bytes = STRIP, order: str = "<", following: int = 0) -> bytes:
    """A grey picture of 64 × 64 in one strip, some tags changed, added or, with None, dropped."""
    tags: dict[int, Value] = {**PICTURE, COUNTS: len(strip), **changes}
    entries = [entry(order, tag, value) for tag, value in sorted(tags.items()) if value is not None]
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", FIRST + len(strip))
    end = struct.pack(f"{order}I", following)
    return start + strip + struct.pack(f"{order}H", len(entries)) + b"".join(entries) + end


def deflated(changes: Mapping[int, Value] = {}, strip: bytes = DEFLATED) -> bytes:
    return tiff({COMPRESSION: 8, **changes}, strip)


def damaged() -> Iterator[Case]:
    for method in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        data = encoded(HAND, "TIFF", compression=method)
        name = f"TIFF ({method})"
        yield from cuts(name, data, 4, end=64 if method == "raw" else 20)
        yield from scrambled(name, data)
        if method != "raw":
            yield Case(f"{name}, half zeroed", zeroed(data, 8, len(data) - 200), 400)
    yield from flips("TIFF (deflate) data", deflated(), FIRST + 2, FIRST + len(DEFLATED), 400)
    yield Case("TIFF (deflate), wrong checksum", deflated(strip=DEFLATED[:-1] + b"?"), 400)
    yield Case("TIFF (deflate) of half its rows", deflated(strip=zlib.compress(STRIP[:2048])), 400)
    yield Case("TIFF (LZW), junk as pixels", tiff({COMPRESSION: 5}, b"junk" * 500), 400)
    yield Case("TIFF (JPEG), junk as pixels", tiff({COMPRESSION: 7}, b"junk" * 500), 400)
    yield Case("TIFF (fax), junk as pixels", tiff({COMPRESSION: 4, BITS: 1}, b"junk" * 9), {200, 400, 415})


def directories() -> Iterator[Case]:
    at, end = FIRST + len(STRIP), len(tiff())
    second = Image.fromarray(255 - HAND)
    yield Case("TIFF, two pages", encoded(HAND, "TIFF", save_all=True, append_images=[second]), 422)
    yield Case("TIFF, its directory follows itself", tiff(following=at), {200, 400})  # there is but one picture
    yield Case("TIFF, two directories in a circle", tiff(following=end) + tiff(following=at)[at:], {400, 422})
    yield Case("TIFF, 20,000 directories", pages(20_000), 422)
    yield Case("TIFF, the next directory is outside", tiff(following=2**31), {200, 400})
    yield Case("TIFF, the next directory is its pixels", tiff(following=FIRST), {400, 422})
    for place in (0, 1, end, 2**32 - 1):
        yield Case(f"TIFF, its directory at {place}", changed(tiff(), 4, struct.pack("<I", place)), 400)
    yield Case("TIFF, 65,535 entries", changed(tiff(), at, b"\xff\xff"), {200, 400})  # those needed come first
    yield Case("TIFF, no entries", changed(tiff(), at, b"\0\0"), 400)
    yield Case("TIFF, header only", b"II*\0" + struct.pack("<I", 8), 400)
    yield Case("TIFF, HTML behind its signature", b"II*\0<html>" + b"hello " * 99, 400)
    big = encoded(HAND, "TIFF", big_tiff=True)
    yield from cuts("BigTIFF", big, 4, end=64)
    yield Case("BigTIFF, its directory at 2**64", changed(big, 8, b"\xff" * 8), 400)
    crowded = changed(big, int.from_bytes(big[8:16], "little"), bytes(7) + b"\x80")
    yield Case("BigTIFF, 2**63 entries", crowded, {200, 400})


def pages(count: int) -> bytes:
    """One picture's directory again and again, each naming the next."""
    first = tiff()
    at, size = FIRST + len(STRIP), len(first) - FIRST - len(STRIP)
    more = b"".join(tiff(following=at + (number + 1) * size)[at:] for number in range(1, count))
    return changed(first, len(first) - 4, struct.pack("<I", at + size)) + more


def lies() -> Iterator[Case]:
    everything = 2**32 - 1
    yield Case("TIFF, a description of 4 GB", tiff({DESCRIPTION: (2, everything, FIRST)}), {200, 400})
    yield Case("TIFF, a resolution 4 billion times", tiff({RESOLUTION: (RATIONAL, everything, FIRST)}), {200, 400})
    yield Case("TIFF, 4 billion strips", tiff({OFFSETS: (LONG, everything, FIRST)}), 400)
    yield Case("TIFF, 4 billion widths", tiff({WIDTH: (LONG, everything, FIRST)}), 400)
    yield Case("TIFF, 4 billion strip lengths", deflated({COUNTS: (LONG, everything, FIRST)}), 400)
    yield Case("TIFF, the strip is outside", tiff({OFFSETS: 2**31}), 400)
    yield Case("TIFF, the strip is the end", tiff({OFFSETS: FIRST + 1000}), 400)
    yield Case("TIFF, a strip of 10 bytes", tiff({COUNTS: 10}), 400)
    yield Case("TIFF, a strip of 4 GB", tiff({COUNTS: everything}), {200, 400})
    yield Case("TIFF, no strips", tiff({OFFSETS: None}), 400)
    yield Case("TIFF, no width", tiff({WIDTH: None}), 400)
    yield Case("TIFF, one row a strip, and one strip", deflated({ROWS: 1}), 400)
    yield Case("TIFF, all rows in a strip", tiff({ROWS: everything}), 200)
    for samples in (0, 2, 65535):
        yield Case(f"TIFF of {samples} samples a pixel", tiff({SAMPLES: samples}), 400)
    for bits in (0, 3, 65, 65535):
        yield Case(f"TIFF of {bits} bits", tiff({BITS: bits}), {400, 415})
    yield Case("TIFF of 16 bits that has 8", tiff({BITS: 16}), 400)
    yield Case("TIFF, an unknown compression", tiff({COMPRESSION: 9999}), {400, 415})
    yield Case("TIFF, unknown colours", tiff({PHOTOMETRIC: 99}), {400, 415})
    yield Case("TIFF, tiles of 4 GB", tiff(tiles(65_520)), {400, 413})
    yield Case("TIFF, tiles of 4 GB (deflate)", deflated(tiles(65_520)), {400, 413})
    yield Case("TIFF, tiles of nothing", tiff(tiles(0)), 400)


def tiles(side: int) -> dict[int, Value]:
    """One tile instead of one strip."""
    size = {TILE_WIDTH: side, TILE_HEIGHT: side}
    return {OFFSETS: None, ROWS: None, COUNTS: None, TILE_OFFSETS: FIRST, TILE_COUNTS: len(STRIP), **size}


def claims() -> Iterator[Case]:
    yield from sizes("TIFF")
    blank = deflate.wrapped(10**8)
    for width, height in ((65535, 65535), (2**32 - 1, 2**32 - 1), (2**31, 64), (12_000, 12_000)):
        size: dict[int, Value] = {WIDTH: width, HEIGHT: height}
        yield Case(f"TIFF that claims {width} × {height}", tiff(size), 413)
        yield Case(f"TIFF (LZW) that claims {width} × {height}", tiff({**size, COMPRESSION: 5}, b"\x80\x00\x20"), 413)
        yield Case(f"TIFF (deflate) that claims {width} × {height}", deflated(size, blank), 413)
    for width, height in ((0, 0), (0, 64), (64, 0)):
        yield Case(f"TIFF that claims {width} × {height}", tiff({WIDTH: width, HEIGHT: height}), {400, 422})
    for height in (65, 256, 6000):
        yield Case(f"TIFF of 64 rows that claims {height}", tiff({HEIGHT: height, ROWS: height}), 400)
    yield Case("TIFF (deflate), a gigabyte in a small strip", deflated(strip=deflate.wrapped(10**9)), {200, 400})


def values() -> Iterator[Case]:
    for number in (np.nan, np.inf, -np.inf):
        everywhere = np.full((64, 64), number, np.float32)
        yield Case(f"TIFF, all {number}", encoded(everywhere, "TIFF"), 422)
        yield Case(f"TIFF, one {number}", encoded(spoiled(np.float32, number), "TIFF"), 422)
    yield Case("TIFF of the largest floats", encoded(extremes(np.float32), "TIFF"), 200)
    yield Case("TIFF, all the same", encoded(np.full((64, 64), 7, np.float32), "TIFF"), 200)
