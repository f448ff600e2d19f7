"""JPEG and JPEG-LS: what its markers promise, and its pixels if all of them are there."""

import re
from dataclasses import dataclass
from struct import unpack_from
from typing import Any

from simplejpeg import decode_jpeg

from app.imaging.picture import TooMuchWork, check_size

SCANS, SEGMENTS = 100, 4_000

MARKER = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")
BASELINE, SCAN = {0xC0, 0xC1}, 0xDA
FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # those that say how large a JPEG, or a JPEG-LS, is
START = 0xD8  # has no length behind it
PLAIN = {0xC0, 0xC1, 0xC4, 0xDB, 0xDD, 0xE0, 0xFE}  # baseline frames, tables, restarts, JFIF's own, comments


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A JPEG's own account of itself."""

    width: int
    height: int
    depth: int  # bits
    colors: int
    baseline: bool
    scans: int
    plain: bool  # nothing but what its pixels need: no notes, profiles, other pictures or ways to store colour

    def shrunk(self, at_least: int) -> tuple[int, int]:
        """Width and height at the smallest scale, of those JPEG knows, at which both sides keep `at_least` pixels."""
        scale = next((s for s in (8, 4, 2) if min(self.width, self.height) >= s * at_least), 1)
        return -(-self.width // scale), -(-self.height // scale)


def check(data: bytes, max_pixels: int) -> Jpeg:
    """Raises PictureError, struct.error or ValueError."""
    frame = read_header(data)
    check_size(frame.width, frame.height, max_pixels)
    return frame


def read_header(data: bytes) -> Jpeg:
    """Raises TooMuchWork, struct.error, or ValueError where no frame is."""
    at, frame, plain = 2, None, True
    for _ in range(SEGMENTS):
        if (found := MARKER.search(data, at)) is None or (marker := found[0][1]) == SCAN:
            break
        at, plain = found.end(), plain and marker in PLAIN
        if marker in FRAMES and frame is None:
            frame = (marker in BASELINE, *unpack_from(">B2HB", data, at + 2))
        if marker != START:
            length = unpack_from(">H", data, at)[0]
            if length < 2:
                raise ValueError("a segment shorter than its own length")
            at += length
    else:
        raise TooMuchWork(f"The JPEG has more than {SEGMENTS:,} segments.")
    if frame is None:
        raise ValueError("no frame header")
    baseline, depth, height, width, colors = frame
    return Jpeg(width, height, depth, colors, baseline, scans := _scans(data), plain and depth == 8 and scans == 1)


def _scans(data: bytes) -> int:
    """Their number, or some more: within a scan no such bytes stand, but in a note they may. Raises TooMuchWork."""
    if (scans := data.count(b"\xff\xda")) > SCANS:
        raise TooMuchWork(f"The JPEG has more than {SCANS} scans.")
    return scans


def decode(data: bytes, space: str, width: int = 0, height: int = 0) -> Any:
    """Pixels (height, width, colours) in the "GRAY" or "RGB" `space`, at the smallest scale of at least these sides.

    Bit for bit those of Pillow, which would make up what is missing. None where simplejpeg does not know the layout:
    chroma shrunk in an unusual way. Raises ValueError.
    """
    try:
        return decode_jpeg(data, space, min_height=height, min_width=width)
    except ValueError as error:
        if "subsampling" not in str(error):
            raise
        return None
