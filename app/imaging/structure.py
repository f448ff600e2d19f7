"""The parts a file is made of, walked through before a decoder sees them: many are work, broken ones are damage."""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from struct import unpack_from

from app.imaging.picture import TooMuchWork, check_size

SCANS, SEGMENTS, CHUNKS = 100, 4_000, 20_000  # a picture of 64 MB has 8,192 chunks where its writer makes them of 8 KB
PIECE = 2**16  # bytes unpacked at a time

# JPEG. In a scan, stuffed zeros, restarts and fill bytes are no markers.
MARKER = re.compile(rb"\xff[^\0\xd0-\xd7\xff]", re.DOTALL)
BASELINE, SCAN, END = {0xC0, 0xC1}, 0xDA, 0xD9
FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # those that say how large a JPEG, or a JPEG-LS, is
ALONE = {0x01, 0xD8}  # markers without a length behind them

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by PNG's colour type
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # Adam7


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A JPEG's own account of itself."""

    width: int
    height: int
    colors: int
    baseline: bool
    scans: int


def check(data: bytes, format: str, max_pixels: int) -> None:
    """Count and check the parts of a JPEG, PNG or WebP. Raises PictureError, struct.error, zlib.error or ValueError."""
    if format == "JPEG":
        frame = jpeg(data)
        check_size(frame.width, frame.height, max_pixels)
    elif format == "PNG":
        chunks = png(data)
        width, height = unpack_from(">2I", chunks[b"IHDR"][0])
        check_size(width, height, max_pixels)
        _check_rows(chunks)
    elif format == "WEBP":  # Pillow makes room for the pixels as soon as it opens one
        check_size(*_webp_size(data), max_pixels)


def jpeg(data: bytes) -> Jpeg:
    """Raises TooMuchWork, struct.error, or ValueError where no frame is."""
    at, scans, frame = 2, 0, None
    for _ in range(SEGMENTS):
        if (found := MARKER.search(data, at)) is None or (marker := found[0][1]) == END:
            break
        at = found.end()
        if marker in FRAMES and frame is None:
            frame = (marker in BASELINE, *unpack_from(">2HB", data, at + 3))
        scans += marker == SCAN
        if scans > SCANS:
            raise TooMuchWork(f"The JPEG has more than {SCANS} scans.")
        at += 0 if marker in ALONE else unpack_from(">H", data, at)[0]
    else:
        raise TooMuchWork(f"The JPEG has more than {SEGMENTS:,} segments.")
    if frame is None:
        raise ValueError("no frame header")
    baseline, height, width, colors = frame
    return Jpeg(width, height, colors, baseline, scans)


def png(data: bytes) -> dict[bytes, list[memoryview]]:
    """The chunks by name, their checksums right and an end among them. Raises TooMuchWork, struct.error or ValueError."""
    chunks: dict[bytes, list[memoryview]] = {}
    view, at = memoryview(data), 8
    for _ in range(CHUNKS):
        length, name = unpack_from(">I4s", data, at)
        end = at + 8 + length
        if zlib.crc32(view[at + 4 : end]) != unpack_from(">I", data, end)[0]:
            raise ValueError("a checksum does not fit")
        chunks.setdefault(name, []).append(view[at + 8 : end])
        if name == b"IEND":
            return chunks
        at = end + 4
    raise TooMuchWork(f"The PNG has more than {CHUNKS:,} chunks.")


def _check_rows(chunks: dict[bytes, list[memoryview]]) -> None:
    """Whether a PNG's data unpacks to all the rows its header promises, and no more: Pillow fills up without a word."""
    width, height, depth, color, _, _, interlaced = unpack_from(">2I5B", chunks[b"IHDR"][0])
    bits = depth * CHANNELS[color]
    promised = sum(rows * (1 + -(-columns * bits // 8)) for columns, rows in _passes(width, height, interlaced))
    unpacked = 0
    for part in _inflated(chunks[b"IDAT"]):
        unpacked += part
        if unpacked > promised:
            break
    if unpacked != promised:
        raise ValueError("more or fewer rows than the header says")


def _passes(width: int, height: int, interlaced: bool) -> Iterator[tuple[int, int]]:
    """Columns and rows of each pass over the picture."""
    for left, top, across, down in PASSES if interlaced else ((0, 0, 1, 1),):
        columns, rows = -((left - width) // across), -((top - height) // down)
        if columns > 0 and rows > 0:
            yield columns, rows


def _inflated(parts: list[memoryview]) -> Iterator[int]:
    """Bytes as they are unpacked, little by little; a stream that does not end well raises."""
    inflating = zlib.decompressobj()
    for part in parts:
        for start in range(0, len(part), PIECE):
            packed: bytes | memoryview = part[start : start + PIECE]
            while (count := len(inflating.decompress(packed, PIECE))) or inflating.unconsumed_tail:
                yield count
                packed = inflating.unconsumed_tail
    if not inflating.eof:
        raise ValueError("the data is cut short")


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height that a WebP's first chunk promises. Raises struct.error or ValueError."""
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        bits = unpack_from("<I", data, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = unpack_from("<2H", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise ValueError("no picture comes first")
