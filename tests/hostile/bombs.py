"""Small files that unpack to enormous ones, and pictures just within the limit."""

import io
import struct
import zipfile
from collections.abc import Iterator
from functools import partial

import numpy as np
from PIL import Image
from pydicom import uid
from pydicom.encaps import encapsulate

from tests.hostile import deflate
from tests.hostile.case import HAND, Case, encoded
from tests.hostile.chunks import chunk, data, header, png, scanlines
from tests.hostile.elements import (
    COLUMNS,
    OPEN,
    PICTURE,
    PIXELS,
    PRIVATE,
    ROWS,
    SAMPLES,
    SEQUENCE_END,
    element,
    elements,
    file,
    meta,
    number,
)

GREY = data(scanlines(HAND))
SIDE = 6300  # squared: just under 40 million
MUCH = 10**9


def cases() -> Iterator[Case]:
    yield from compressed_pixels()
    yield from compressed_notes()
    yield from archives()
    yield from within_the_limit()
    yield from dicoms()


def compressed_pixels() -> Iterator[Case]:
    for side in (12_000, 30_000):
        blank = chunk(b"IDAT", deflate.wrapped(side * (side + 1)))
        yield Case(f"PNG of {side} × {side}, sound", png(header(side, side), blank), 413)
    yield Case("PNG of 12000 × 12000 colours, sound", png(header(12_000, 12_000, color=2), colors(12_000)), 413)


def colors(side: int) -> bytes:
    return chunk(b"IDAT", deflate.wrapped(side * (3 * side + 1)))


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
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for number in range(20):
            archive.writestr(zipfile.ZipInfo(f"{number}.png"), bytes(10**6), zipfile.ZIP_DEFLATED)
    yield Case("zip of many megabytes", memory.getvalue(), 415)
    gzip = b"\x1f\x8b\x08" + bytes(7) + deflate.raw(zeros=MUCH) + struct.pack("<II", 0, MUCH)
    yield Case("gzip of a gigabyte", gzip, 415)
    yield Case("zlib of a gigabyte", deflate.wrapped(MUCH), 415)


def within_the_limit() -> Iterator[Case]:
    """What the limit lets in is answered, or costs too much memory and is refused for that."""
    blank = partial(np.full, (SIDE, SIDE), 90)
    rows = chunk(b"IDAT", deflate.wrapped(SIDE * (SIDE + 1)))
    yield Case("PNG just within the limit", png(header(SIDE, SIDE), rows), 200)
    wide = chunk(b"IDAT", deflate.wrapped(SIDE * (2 * SIDE + 1)))
    yield Case("PNG of 16 bits just within the limit", png(header(SIDE, SIDE, 16), wide), {200, 413})
    four = chunk(b"IDAT", deflate.wrapped(SIDE * (4 * SIDE + 1)))
    yield Case("PNG with alpha just within the limit", png(header(SIDE, SIDE, color=6), four), {200, 413})
    eight = chunk(b"IDAT", deflate.wrapped(SIDE * (8 * SIDE + 1)))
    yield Case("PNG of 16 bits with alpha just within the limit", png(header(SIDE, SIDE, 16, 6), eight), {200, 413})
    yield Case("PNG just beyond the limit", png(header(SIDE + 50, SIDE), rows), 413)
    yield Case("JPEG just within the limit", encoded(blank(dtype=np.uint8), "JPEG"), 200)
    progressive = encoded(blank(dtype=np.uint8), "JPEG", progressive=True)
    yield Case("progressive JPEG just within the limit", progressive, {200, 413})
    yield Case("TIFF (LZW) just within the limit", encoded(blank(dtype=np.uint8), "TIFF", compression="tiff_lzw"), 200)


def dicoms() -> Iterator[Case]:
    syntax = uid.DeflatedExplicitVRLittleEndian
    yield Case("deflated DICOM of 12000 × 12000, sound", blank_dicom(12_000), 413)
    yield Case("deflated DICOM just within the limit", blank_dicom(SIDE), {200, 413})
    start = elements().index(PICTURE[SAMPLES])
    beside = elements()[:start] + element(PRIVATE, b"OB", length=MUCH)
    bomb = deflate.raw(beside, MUCH, elements()[start:])
    yield Case("deflated DICOM with a gigabyte beside", meta(syntax) + bomb, 413)
    once = meta(syntax) + deflate.raw(elements())
    yield Case("DICOM deflated twice", meta(syntax) + deflate.raw(once), 400)
    yield Case(
        "DICOM deflated twice without its beginning", meta(syntax) + deflate.raw(deflate.raw(elements())), {400, 422}
    )
    yield Case("deflated DICOM of nothing but zeros", meta(syntax) + deflate.raw(zeros=MUCH), {400, 413})
    yield Case("RLE DICOM just within the limit", blank_runs(128 * 49), {200, 413})


def blank_runs(side: int) -> bytes:
    """In runs of 128 pixels."""
    frame = struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\0" * (side * side // 128)
    stream = encapsulate([frame]) + SEQUENCE_END + bytes(4)
    size = {ROWS: number(ROWS, side), COLUMNS: number(COLUMNS, side)}
    return file({**size, PIXELS: element(PIXELS, b"OB", stream, length=OPEN)}, uid.RLELossless)


def blank_dicom(side: int) -> bytes:
    count = side * side
    size = {ROWS: number(ROWS, side), COLUMNS: number(COLUMNS, side), PIXELS: element(PIXELS, b"OB", length=count)}
    return meta(uid.DeflatedExplicitVRLittleEndian) + deflate.raw(elements(size), count)
