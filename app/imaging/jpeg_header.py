"""The markers of a JPEG, or a JPEG-LS: what they promise, before anything is decoded."""

import re
from dataclasses import dataclass
from struct import unpack_from

from app.imaging.picture import Outline, TooMuchWork

MAX_SCANS, MAX_SEGMENTS = 100, 4_000
BOUNDED_SCANS = 4  # one for each colour

MARKER = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")
START_OF_IMAGE, END_OF_IMAGE, START_OF_SCAN = 0xD8, 0xD9, 0xDA  # the first two have no length behind them
BASELINE = {0xC0, 0xC1}
HUFFMAN = {*BASELINE, 0xC2}  # whose decoder says when it runs out of bits; an arithmetic one takes zeros without a word
JPEG_LS = 0xF7
HIERARCHICAL = {0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF}
FRAME_MARKERS = {*range(0xC0, 0xD0), JPEG_LS} - {0xC4, 0xC8, 0xCC}  # those that say how large a JPEG, or a JPEG-LS, is
TABLES = {0xC4, 0xDB, 0xDD, 0xE0, 0xFE}  # codes, quantisation, restarts, and JFIF's own and comments
BARE_MARKERS = {*BASELINE, *TABLES, START_OF_SCAN, END_OF_IMAGE}


@dataclass(frozen=True, slots=True)
class Jpeg(Outline):
    """A JPEG's own account of itself."""

    process: int  # the marker of its frame, which says how it is coded
    depth: int  # bits
    colors: int
    segments: dict[int, list[int]]  # where, by their markers, the contents of the first picture's segments begin
    bare: bool  # nothing but what its pixels need: no notes, profiles, other pictures or ways to store colour


def read_header(data: bytes) -> Jpeg:
    """Of the first picture, whatever follows it. Raises TooMuchWork, struct.error, or ValueError where no frame is."""
    at, segments = 2, dict[int, list[int]]()
    for _ in range(MAX_SEGMENTS):
        if (found := MARKER.search(data, at)) is None:
            break
        at, marker = found.end(), data[found.end() - 1]
        segments.setdefault(marker, []).append(at)
        if marker == END_OF_IMAGE:
            break
        if marker != START_OF_IMAGE:
            length = unpack_from(">H", data, at)[0]
            if length < 2:
                raise ValueError("a segment shorter than its own length")
            at += length
    else:
        raise TooMuchWork(f"The JPEG has more than {MAX_SEGMENTS:,} segments.")
    scans = len(segments.get(START_OF_SCAN, ()))
    if scans > MAX_SCANS:
        raise TooMuchWork(f"The JPEG has more than {MAX_SCANS} scans.")
    process = next((marker for marker in segments if marker in FRAME_MARKERS), None)
    if process is None:
        raise ValueError("no frame header")
    depth, height, width, colors = unpack_from(">B2HB", data, segments[process][0] + 2)
    bounded = process in BASELINE and scans <= BOUNDED_SCANS
    bare = segments.keys() <= BARE_MARKERS and depth == 8 and scans == 1
    return Jpeg(width, height, bounded, process, depth, colors, segments, bare)
