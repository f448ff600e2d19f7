"""PNG, broken in every way a chunk can be."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.hostile import deflate
from tests.hostile.case import HAND, LARGE, Case, changed, cuts, encoded, flips, scrambled, sizes, zeroed
from tests.hostile.chunks import END, SIGNATURE, chunk, data, header, interlaced, png, scanlines

ROWS = scanlines(HAND)
PACKED = zlib.compress(ROWS)
IHDR, IDAT = header(64, 64), data(ROWS)
PLAIN = png(IHDR, IDAT)
TEXT = chunk(b"tEXt", b"Comment\0drawn")
PALETTE = chunk(b"PLTE", bytes(range(256)) * 3)


def damaged() -> Iterator[Case]:
    start, stop = PLAIN.index(b"IDAT") + 4, len(PLAIN) - len(END) - 4
    yield from cuts("PNG", PLAIN, 8, end=13)  # of the last checksum one byte; behind it nothing is missing
    yield from cuts("interlaced PNG", interlaced(HAND), 8, end=13)
    yield from flips("PNG data", PLAIN, start, stop, 400)
    yield from flips("PNG signature", PLAIN, 0, 8, 415, 2)
    yield from flips("PNG depth and colour", PLAIN, 24, 26, 400, 2)
    yield from flips("PNG end", PLAIN, len(PLAIN) - 8, len(PLAIN), 400, 2)
    yield from scrambled("PNG", PLAIN)
    yield Case("PNG, half zeroed", zeroed(PLAIN, start, stop), 400)
    blank = zeroed(PACKED, 2, len(PACKED) - 4)
    yield Case("PNG, half zeroed below a right CRC", png(IHDR, chunk(b"IDAT", blank)), 400)
    yield Case("PNG, wrong checksum of the pixels", png(IHDR, chunk(b"IDAT", PACKED[:-1] + b"?")), 400)
    for name, part in {"IHDR": IHDR, "IDAT": IDAT, "IEND": END, "tEXt": TEXT}.items():
        wrong = changed(part, len(part) - 4, bytes(4))
        status = 200 if part is TEXT else 400
        yield Case(f"PNG, wrong CRC of {name}", png(IHDR, TEXT, IDAT).replace(part, wrong), status)
    for share in (0, 1, 16, 63):
        short = png(IHDR, data(scanlines(HAND[:share])))
        yield Case(f"PNG with {share} of its 64 rows", short, 400)
    yield Case("PNG with a row too many", png(IHDR, data(ROWS + ROWS[:65])), 400)
    yield Case("PNG with a gigabyte too many", png(IHDR, chunk(b"IDAT", deflate.wrapped(10**9))), 400)


def structures() -> Iterator[Case]:
    yield Case("PNG, missing IEND", SIGNATURE + IHDR + IDAT, 200)
    yield Case("PNG, missing IDAT", png(IHDR), 400)
    yield Case("PNG, empty IDAT", png(IHDR, chunk(b"IDAT")), 400)
    yield Case("PNG, missing IHDR", png(IDAT), 400)
    yield Case("PNG, IDAT before IHDR", png(IDAT, IHDR), 400)
    yield Case("PNG, two IHDR", png(IHDR, IHDR, IDAT), 400)
    yield Case("PNG, two IHDR of two sizes", png(IHDR, header(32, 32), IDAT), 400)
    yield Case("PNG, missing palette", png(header(64, 64, color=3), IDAT), 400)
    yield Case("PNG, palette of 4 bytes", png(header(64, 64, color=3), chunk(b"PLTE", b"1234"), IDAT), 400)
    yield Case("PNG, wrong filter", png(IHDR, data(scanlines(HAND, 5))), 400)
    yield Case("PNG, filter 255", png(IHDR, data(scanlines(HAND, 255))), 400)
    yield Case("PNG, a length of 4 GB", changed(PLAIN, 33, b"\xff\xff\xff\xff"), 400)
    yield Case("PNG, a length of zero", changed(PLAIN, 33, bytes(4)), 400)
    yield Case("PNG, IHDR of 12 bytes", png(chunk(b"IHDR", IHDR[8:20]), IDAT), 400)
    yield Case("PNG, junk instead of chunks", SIGNATURE + b"junk" * 100, 400)
    yield Case("PNG in 150 IDAT", png(IHDR, *pieces(PACKED, 150)), 200)
    yield Case("PNG with 100,000 empty chunks", png(IHDR, chunk(b"juNk") * 100_000, IDAT), 413)
    yield Case("PNG with 100,000 empty IDAT", png(IHDR, chunk(b"IDAT") * 100_000, IDAT), 413)
    yield Case("PNG with 20 chunks nobody knows", png(IHDR, chunk(b"juNk", b"junk") * 20, IDAT), 200)
    yield Case("PNG with a megabyte behind it", PLAIN + bytes(10**6), 200)
    yield Case("animated PNG", encoded(HAND, "PNG", save_all=True, append_images=[Image.fromarray(255 - HAND)]), 422)


def pieces(packed: bytes, count: int) -> list[bytes]:
    step = -(-len(packed) // count)
    return [chunk(b"IDAT", packed[at : at + step]) for at in range(0, len(packed), step)]


def headers() -> Iterator[Case]:
    yield from sizes("PNG")
    for depth, color in ((3, 0), (0, 0), (16, 3), (8, 1), (8, 7), (32, 0)):
        lying = png(header(64, 64, depth, color), PALETTE, IDAT)
        yield Case(f"PNG of depth {depth} and colour type {color}", lying, 400)
    for place, name in ((26, "compression"), (27, "filtering"), (28, "interlacing")):
        content = changed(IHDR, place - 8, b"\x09")[8:-4]
        yield Case(f"PNG with unknown {name}", png(chunk(b"IHDR", content), IDAT), 400)
    yield Case("PNG of 65 rows that has 64", png(header(64, 65), IDAT), 400)
    yield Case("PNG of 32 rows that has 64", png(header(64, 32), IDAT), 400)
    yield Case("PNG of 6000 × 6000 that has 64 × 64", png(header(6000, 6000), IDAT), 400)
    for width, height in ((65535, 65535), (2**31 - 1, 2**31 - 1), (13000, 13000)):
        yield Case(f"PNG that claims {width} × {height}", png(header(width, height), IDAT), 413)
    for width, height in ((0, 0), (0, 64), (64, 0)):
        yield Case(f"PNG that claims {width} × {height}", png(header(width, height), IDAT), {400, 422})
    yield Case("PNG of 16 bits that has 8", png(header(64, 64, 16), IDAT), 400)


def notes() -> Iterator[Case]:
    """A sound picture with something wrong beside it, which spoils no pixel."""
    loop = b"II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 34665, 4, 1, 8) + struct.pack("<I", 8)
    odd = {
        "junk as EXIF": chunk(b"eXIf", b"junk" * 999),
        "empty EXIF": chunk(b"eXIf"),
        "EXIF that refers to itself": chunk(b"eXIf", loop),
        "junk as ICC profile": chunk(b"iCCP", b"name\0\0junk"),
        "an ICC profile that is none": chunk(b"iCCP", b"name\0\0" + zlib.compress(b"junk" * 99)),
        "a comment of 5,000 bytes": chunk(b"tEXt", b"Comment\0" + b"x" * 5000),
    }
    for name, note in odd.items():
        yield Case(f"PNG with {name}", png(IHDR, note, IDAT), 200)
    large = np.pad(LARGE, 500)
    yield Case("PNG with a black border", png(header(*large.shape[::-1]), data(scanlines(large))), 200)
