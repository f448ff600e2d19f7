"""PNG files chunk by chunk: what Pillow cannot write, and what nobody should."""

import struct
import zlib
from typing import Any

import numpy.typing as npt

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PASSES = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]  # Adam7


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def header(width: int, height: int, depth: int = 8, color: int = 0, interlace: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace))


END = chunk(b"IEND")


def png(*chunks: bytes) -> bytes:
    return SIGNATURE + b"".join(chunks) + END


def scanlines(pixels: npt.NDArray[Any], filter: int = 0) -> bytes:
    """Rows as PNG stores them, each behind the number of its filter."""
    rows = pixels.astype(pixels.dtype.newbyteorder(">"))
    return b"".join(bytes([filter]) + row.tobytes() for row in rows)


def data(content: bytes) -> bytes:
    return chunk(b"IDAT", zlib.compress(content))


def interlaced(pixels: npt.NDArray[Any]) -> bytes:
    """A grey PNG of `pixels` (height, width) in the seven passes of Adam7."""
    height, width = pixels.shape
    passes = [scanlines(pixels[top::down, left::right]) for top, left, down, right in PASSES]
    return png(header(width, height, 8 * pixels.itemsize, interlace=1), data(b"".join(passes)))
