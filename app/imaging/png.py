"""PNG through Pillow: its chunks, and whether they hold all they promise; Pillow checks neither sums nor rows.

It is given the chunks that make the picture and say how it was held, and none of the others, which it might stumble over.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from struct import unpack_from

from app.imaging import raster
from app.imaging.picture import ImageFile, Outline, SizeLimits, TooMuchWork, as_damage, check_size

MAX_CHUNKS = 20_000  # a file of 64 MB has 8,192 where its writer makes them of 8 KB
PIECE_BYTES = 2**16  # unpacked at a time
PACKED = {b"zTXt", b"iTXt", b"acTL"}  # chunks that are read and may hold much more than they seem to
NEEDED = {b"tRNS"}  # ancillary by its name, but it says which pixels are there
WELCOME = {b"acTL", b"eXIf", b"iTXt", b"tEXt", b"zTXt"}  # an animation, and how the picture was held
SIGNATURE, END = b"\x89PNG\r\n\x1a\n", b"\0\0\0\0IEND\xae\x42\x60\x82"
PALETTE = 3
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by PNG's colour type
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))

Chunk = tuple[bytes, int, int]  # name, start and end of the content
Chunks = dict[bytes, list[memoryview]]  # contents by their names


@dataclass(frozen=True, slots=True)
class Png(Outline):
    """A PNG's own account of itself."""

    chunks: list[Chunk]


@as_damage("PNG")
def open(data: bytes, limits: SizeLimits, outline: Png | None = None) -> ImageFile:
    """Raises PictureError."""
    sound = list(_sound(data, outline.chunks if outline else _walk(data)))
    chunks: Chunks = {}
    for name, start, end in sound:
        chunks.setdefault(name, []).append(memoryview(data)[start:end])
    width, height, *_ = header = _header(chunks)
    check_size(width, height, limits)
    _check_rows(header, chunks[b"IDAT"])
    view = memoryview(data)
    return raster.open(
        b"".join([SIGNATURE, *(view[start - 8 : end + 4] for _, start, end in sound), END]), "PNG", limits
    )


def read_outline(data: bytes) -> Png:
    """What chunks there are, and what the first is in any sound file. Raises TooMuchWork or struct.error."""
    chunks = list(_walk(data))
    width, height = unpack_from(">2I", data, 16)
    return Png(width, height, not PACKED & {name for name, _, _ in chunks}, chunks)


def _sound(data: bytes, found: Iterable[Chunk]) -> Iterator[Chunk]:
    """The chunks to read. Raises ValueError where the sum of one that the pixels need is wrong.

    A damaged chunk that is ancillary, by its name's first letter, is passed over (PNG 13.2).
    """
    view = memoryview(data)
    for name, start, end in found:
        needed = name[:1].isupper() or name in NEEDED
        if needed or name in WELCOME:
            if zlib.crc32(view[start - 4 : end]) == unpack_from(">I", data, end)[0]:
                yield name, start, end
            elif needed:
                raise ValueError("a checksum does not fit")


def _walk(data: bytes) -> Iterator[Chunk]:
    """Every whole chunk to the last one, which may be missing: it says nothing about the pixels. Raises TooMuchWork."""
    start = 16
    for _ in range(MAX_CHUNKS):
        if start > len(data):
            return
        length, name = unpack_from(">I4s", data, start - 8)
        end = start + length
        if end + 4 > len(data):
            return
        yield name, start, end
        if name == b"IEND":
            return
        start = end + 12
    raise TooMuchWork(f"The PNG has more than {MAX_CHUNKS:,} chunks.")


def _header(chunks: Chunks) -> tuple[int, ...]:
    """Width, height, depth, colour type, compression, filter and interlacing; and the palette, where there must be one."""
    (header,) = chunks[b"IHDR"]
    _, _, _, color, compression, filter, interlaced = numbers = unpack_from(">2I5B", header)
    palette = sum(map(len, chunks.get(b"PLTE", [])))
    if compression or filter or interlaced > 1 or (color == PALETTE and (palette == 0 or palette % 3)):
        raise ValueError("a header that cannot be")
    return numbers


def _check_rows(header: tuple[int, ...], data: list[memoryview]) -> None:
    """Whether a PNG's data unpacks to all the rows its header promises, and no more: Pillow fills up without a word."""
    width, height, depth, color, _, _, interlaced = header
    bits = depth * CHANNELS[color]
    promised = sum(rows * (1 + -(-columns * bits // 8)) for columns, rows in _passes(width, height, interlaced))
    if unpacked(data, promised) != promised:
        raise ValueError("fewer rows than the header says")


def _passes(width: int, height: int, interlaced: int) -> Iterator[tuple[int, int]]:
    """Columns and rows of each pass over the picture."""
    for left, top, across, down in ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -((left - width) // across), -((top - height) // down)
        if columns > 0 and rows > 0:
            yield columns, rows


def unpacked(parts: Sequence[memoryview], most: int) -> int:
    """How many bytes a stream holds, unpacked little by little. Raises ValueError or zlib.error unless it ends well."""
    inflating, total = zlib.decompressobj(), 0
    for part in parts:
        for start in range(0, len(part), PIECE_BYTES):
            packed: bytes | memoryview = part[start : start + PIECE_BYTES]
            while (count := len(inflating.decompress(packed, PIECE_BYTES))) or inflating.unconsumed_tail:
                total += count
                if total > most:
                    raise ValueError("more than was promised")
                packed = inflating.unconsumed_tail
    if not inflating.eof:
        raise ValueError("the data is cut short")
    return total
