"""Zeros by the gigabyte, packed without ever having been there."""

import struct
import zlib

PIECE = 2**20


def raw(before: bytes = b"", zeros: int = 0, after: bytes = b"") -> bytes:
    """A raw deflate stream of `before`, so many zeros and `after`; the zeros at a thousandth of their size."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    start = packer.compress(before) + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(bytes(PIECE)) + packer.flush(zlib.Z_FULL_FLUSH)  # all forgotten, so the next is the same
    rest = packer.compress(bytes(zeros % PIECE) + after) + packer.flush()
    return start + piece * (zeros // PIECE) + rest


def wrapped(zeros: int) -> bytes:
    """As many zeros with zlib's header and checksum."""
    return b"\x78\x9c" + raw(zeros=zeros) + struct.pack(">HH", zeros % 65521, 1)
