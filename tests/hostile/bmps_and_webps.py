"""BMP and WebP: neither has a checksum, so what is damaged inside the pixels cannot be known, but every count can."""

import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.hostile.case import HAND, Case, changed, cuts, encoded, scrambled, sizes

BMP = encoded(HAND, "BMP")
COLORS = Image.fromarray(HAND).convert("RGB")
LOSSLESS, LOSSY = encoded(COLORS, "WEBP", lossless=True), encoded(COLORS, "WEBP")


def bmp(**changes: int) -> bytes:
    """BMP with fields of its header changed."""
    places = {"size": 2, "start": 10, "header": 14, "width": 18, "height": 22, "compression": 30, "palette": 46}
    data = BMP
    for name, value in changes.items():
        data = changed(data, places[name], struct.pack("<I", value % 2**32))
    return data


def bmps() -> Iterator[Case]:
    yield from cuts("BMP", BMP, 2, end=64)
    yield from scrambled("BMP", BMP)
    yield from sizes("BMP")
    yield Case("BMP upside down", bmp(height=-64), 200)
    yield Case("BMP of a wrong file size", bmp(size=7), 200)  # hardly anybody writes it right
    yield Case("BMP of a negative width", bmp(width=-64), {400, 413})
    yield Case("BMP of the most negative height", bmp(height=-(2**31)), {400, 413})
    yield Case("BMP of no width", bmp(width=0), {400, 422})
    yield Case("BMP of no height", bmp(height=0), {400, 422})
    for width, height in ((65535, 65535), (2**31 - 1, 2**31 - 1), (12_000, 12_000)):
        yield Case(f"BMP that claims {width} × {height}", bmp(width=width, height=height), 413)
    for height in (65, 6000, -65):
        yield Case(f"BMP of 64 rows that claims {height}", bmp(height=height), 400)
    for start in (2**31, len(BMP), len(BMP) - 100):
        yield Case(f"BMP whose pixels begin at {start}", bmp(start=start), 400)
    for header in (0, 5, 41, 2**31):
        yield Case(f"BMP with a header of {header} bytes", bmp(header=header), 400)
    yield Case("BMP with a palette of 2 billion", bmp(palette=2**31), 400)
    for bits in (0, 3, 7, 64):
        yield Case(f"BMP of {bits} bits", changed(BMP, 28, bytes([bits])), 400)
    for compression in (4, 5, 99):  # 4 and 5 are a JPEG and a PNG inside
        yield Case(f"BMP of compression {compression}", bmp(compression=compression), {400, 415})
    yield Case("BMP, HTML behind its signature", b"BM<html>" + b"hello " * 99, 400)
    yield Case("BMP, only its signature and zeros", b"BM" + bytes(1000), 400)
    yield Case("BMP with a megabyte behind it", BMP + bytes(10**6), 200)


def run_length_encoded(pixels: bytes) -> bytes:
    """A BMP of 64 × 64 with these pixels, whatever they are."""
    return bmp(compression=1)[: int.from_bytes(BMP[10:14], "little")] + pixels


def run_lengths() -> Iterator[Case]:
    row_end, end = b"\0\0", b"\0\1"
    rows = b"".join(b"".join(bytes([1, grey]) for grey in row) + row_end for row in HAND[::-1].tolist())
    yield Case("RLE BMP", run_length_encoded(rows + end), 415)
    yield Case("RLE BMP, cut in the middle", run_length_encoded(rows[: len(rows) // 2]), 415)
    yield Case("RLE BMP without pixels", run_length_encoded(b""), 415)
    yield Case("RLE BMP, only runs of 255", run_length_encoded(b"\xff\x07" * 10_000), 415)
    yield Case("RLE BMP that jumps out of itself", run_length_encoded(b"\0\2\xff\xff" * 10_000), 415)


def riff(*chunks: bytes) -> bytes:
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def webp_chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def blank_webp(width: int, height: int) -> bytes:
    """A sound lossless WebP of one colour: every pixel takes no bits at all. (44 bytes)"""
    bits = (width - 1) | (height - 1) << 14  # and no alpha, version 0
    used = 32 + 3  # no transform, no cache, one set of codes
    for _ in range(5):
        bits |= 1 << used  # a simple code of one symbol, of one bit, which is 0
        used += 4
    return riff(webp_chunk(b"VP8L", b"\x2f" + bits.to_bytes(15, "little")))


def canvas(width: int, height: int, flags: int = 0) -> bytes:
    content = bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp_chunk(b"VP8X", content)


def webps() -> Iterator[Case]:
    for name, data in {"lossless WebP": LOSSLESS, "lossy WebP": LOSSY}.items():
        yield from cuts(name, data, 12, end=20)
        yield from scrambled(name, data)
    for width, height in ((1, 1), (15, 200), (1, 16_000)):
        small = encoded(Image.new("RGB", (width, height)), "WEBP", lossless=True)
        yield Case(f"WebP of {width} × {height}", small, 422)
    picture = LOSSLESS[12:]
    yield Case("blank WebP of 64 × 64", blank_webp(64, 64), 200)
    yield Case("blank WebP of 6300 × 6300", blank_webp(6300, 6300), {200, 413})  # 0.9 GB the plain way
    yield Case("blank WebP of 12000 × 12000", blank_webp(12_000, 12_000), 413)
    yield Case("blank WebP of 16384 × 16384", blank_webp(16_384, 16_384), 413)
    yield Case("lossy WebP that claims 16383 × 16383", changed(LOSSY, 26, b"\xff\x3f\xff\x3f"), 413)
    yield Case("lossy WebP that claims 4000 × 4000", changed(LOSSY, 26, struct.pack("<HH", 4000, 4000)), 400)
    yield Case("lossy WebP that claims 0 × 0", changed(LOSSY, 26, bytes(4)), {400, 422})
    yield Case("WebP on a canvas of its size", riff(canvas(64, 64), picture), 200)
    yield Case("WebP on a canvas of 16 million squared", riff(canvas(2**24, 2**24), picture), {400, 413})
    yield Case("WebP on a canvas of 65535 × 65535", riff(canvas(65_535, 65_535), picture), {400, 413})
    yield Case("WebP on a canvas of another size", riff(canvas(128, 128), picture), 400)
    yield Case("WebP with a canvas and no picture", riff(canvas(64, 64)), 400)
    yield Case("WebP without chunks", riff(), 400)
    yield Case("WebP with an unknown chunk", riff(canvas(64, 64), picture, webp_chunk(b"juNk", b"junk")), 200)
    yield Case("WebP with junk as EXIF", riff(canvas(64, 64, 8), picture, webp_chunk(b"EXIF", b"junk" * 99)), 200)
    yield Case("WebP with junk as ICC profile", riff(canvas(64, 64, 32), webp_chunk(b"ICCP", b"junk"), picture), 200)
    for size in (0, 10, 2**32 - 2):
        yield Case(f"WebP of {size} bytes, it says", changed(LOSSLESS, 4, struct.pack("<I", size)), 400)
        yield Case(f"WebP with a picture of {size} bytes", changed(LOSSLESS, 16, struct.pack("<I", size)), 400)
    yield Case("WebP of another version", changed(LOSSLESS, 24, bytes([LOSSLESS[24] | 0x20])), 400)
    other = Image.fromarray(np.stack([255 - HAND] * 3, axis=-1))
    yield Case("animated WebP", encoded(COLORS, "WEBP", save_all=True, append_images=[other], lossless=True), 422)
