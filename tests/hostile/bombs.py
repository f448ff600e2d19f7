"""Small files that unpack to enormous ones, and pictures just within the limit."""

import struct
import zipfile
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.hostile import deflate
from tests.hostile.case import HAND, SIDE, Case, encoded, zipped
from tests.hostile.chunks import chunk, data, header, png, scanlines

GREY = data(scanlines(HAND))
MUCH = 10**9


def blank(side: int, depth: int = 8, color: int = 0) -> bytes:
    """A sound PNG of zeros."""
    size = depth // 8 * {0: 1, 2: 3, 6: 4}[color]  # of a pixel
    return png(header(side, side, depth, color), chunk(b"IDAT", deflate.wrapped(side * (size * side + 1))))


def compressed_pixels() -> Iterator[Case]:
    for side in (12_000, 30_000):
        yield Case(f"PNG of {side} × {side}, sound", blank(side), 413)
    yield Case("PNG of 12000 × 12000 colours, sound", blank(12_000, color=2), 413)


def compressed_notes() -> Iterator[Case]:
    """A sound picture beside a gigabyte: read without it, or refused as too much work."""
    notes = {b"zTXt": b"Comment\0\0", b"iCCP": b"name\0\0", b"iTXt": b"Comment\0\1\0\0\0"}
    for kind, start in notes.items():
        bomb = chunk(kind, start + deflate.wrapped(MUCH))
        yield Case(f"PNG with a gigabyte in {kind.decode()}", png(header(64, 64), bomb, GREY), {200, 400, 413})
    many = chunk(b"zTXt", b"Comment\0\0" + deflate.wrapped(10**6)) * 200
    yield Case("PNG with a megabyte in each of 200 zTXt", png(header(64, 64), many, GREY), {200, 400, 413})
    text = chunk(b"tEXt", b"Comment\0" + b"x" * 10_000_000)
    yield Case("PNG with a comment of 10 MB", png(header(64, 64), text, GREY), {200, 413})


def archives() -> Iterator[Case]:
    gif = encoded(Image.fromarray(HAND), "GIF")
    yield Case("GIF that claims 65535 × 65535", gif[:6] + b"\xff" * 4 + gif[10:], 415)
    many = zipped({f"{number}.png": bytes(10**6) for number in range(20)}, zipfile.ZIP_DEFLATED)
    yield Case("zip of many megabytes", many, 415)
    gzip = b"\x1f\x8b\x08" + bytes(7) + deflate.raw(zeros=MUCH) + struct.pack("<II", 0, MUCH)
    yield Case("gzip of a gigabyte", gzip, 415)
    yield Case("zlib of a gigabyte", deflate.wrapped(MUCH), 415)


def within_the_limit() -> Iterator[Case]:
    """What the limit lets in is answered, or costs too much memory and is refused for that."""
    yield Case("PNG just within the limit", blank(SIDE), 200)
    yield Case("PNG of 16 bits just within the limit", blank(SIDE, 16), {200, 413})
    yield Case("PNG with alpha just within the limit", blank(SIDE, color=6), {200, 413})
    yield Case("PNG of 16 bits with alpha just within the limit", blank(SIDE, 16, 6), {200, 413})
    rows = chunk(b"IDAT", deflate.wrapped(SIDE * (SIDE + 1)))
    yield Case("PNG just beyond the limit", png(header(SIDE + 50, SIDE), rows), 413)
    grey = np.full((SIDE, SIDE), 90, np.uint8)
    yield Case("JPEG just within the limit", encoded(grey, "JPEG"), 200)
    yield Case("progressive JPEG just within the limit", encoded(grey, "JPEG", progressive=True), {200, 413})
    yield Case("TIFF (LZW) just within the limit", encoded(grey, "TIFF", compression="tiff_lzw"), 200)
