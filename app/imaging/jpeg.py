"""JPEG through simplejpeg, and JPEG-LS's markers: what they promise, and the pixels if all of them are there."""

import io
import re
from dataclasses import dataclass
from struct import unpack_from

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from simplejpeg import decode_jpeg

from app.imaging import raster
from app.imaging.picture import (
    ImageFile,
    Outline,
    Picture,
    Pixels,
    SizeLimits,
    TooMuchWork,
    UnknownType,
    Window,
    as_damage,
    check_size,
)

MAX_SCANS, MAX_SEGMENTS, MAX_MENDS = 100, 4_000, 2
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

# What libjpeg says of the first it stumbles over.
NO_END, STRAYS = "Premature end of JPEG file", "extraneous bytes before marker"
STRAYS_AT_END = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
FILL_BYTES, FILL_VALUES = 4, 4  # at least so many bytes for each value among them, and at most so many values; or zeros
END = bytes([0xFF, END_OF_IMAGE])
FEW_STRAYS = 16  # bytes of any value
COEFFICIENTS = 64  # of a block

MODES = {1: "L", 3: "RGB"}  # Pillow's, by the number of colours
SPACES = {"L": "GRAY", "RGB": "RGB"}  # simplejpeg's, by Pillow's mode
HELD = {"exif", "xmp"}  # where a picture says how it was held; looking takes a fifth of a small one's time


@dataclass(frozen=True, slots=True)
class Jpeg(Outline):
    """A JPEG's own account of itself."""

    process: int  # the marker of its frame, which says how it is coded
    depth: int  # bits
    colors: int
    segments: dict[int, list[int]]  # where, by their markers, the contents of the first picture's segments begin
    bare: bool  # nothing but what its pixels need: no notes, profiles, other pictures or ways to store colour


@dataclass(frozen=True, slots=True)
class JpegFile(ImageFile):
    """A JPEG whose header is within the limits."""

    data: bytes
    header: Jpeg
    limits: SizeLimits

    @as_damage("JPEG")
    def read(self, at_least: int | None = None, ct_window: Window | None = None) -> Picture:
        """The picture, without Pillow where it needs nothing of it: its way to a small one takes longer than the pixels."""
        header, mode = self.header, MODES.get(self.header.colors, "")
        if header.bare and mode:
            fits = min(header.width, header.height) // at_least if at_least else 1
            scale = 1 << min(8, max(1, fits)).bit_length() - 1  # JPEG knows 8, 4, 2 and 1
            pixels = decode(self.data, mode, -(-header.width // scale), -(-header.height // scale))
            if pixels is not None:
                return Picture(pixels if mode == "L" else raster.grey(Image.fromarray(pixels)), "JPEG", mode)
        return self._read_with_pillow(at_least)

    def _read_with_pillow(self, at_least: int | None) -> Picture:
        with JpegImageFile(io.BytesIO(self.data)) as image:  # Image.open would take a phone's MPO for an animation
            check_size(*image.size, self.limits)
            mode = image.mode
            if at_least:
                image.draft(None, (at_least, at_least))
            pixels = decode(self.data, mode, *image.size)
            decoded = image if pixels is None else Image.fromarray(pixels)
            decoded.info = image.info
            if image.info.keys() & HELD:
                raster.turn_upright(decoded)
            return Picture(raster.grey(decoded), "JPEG", mode)


@as_damage("JPEG")
def open(data: bytes, limits: SizeLimits, outline: Jpeg | None = None) -> ImageFile:
    """Raises PictureError."""
    header = outline or read_header(data)
    if header.depth > 8 or header.process in {JPEG_LS, *HIERARCHICAL}:
        raise UnknownType("JPEG of more than 8 bits, JPEG-LS and hierarchical JPEG are not read outside a DICOM.")
    return JpegFile(check_size(header.width, header.height, limits), data, header, limits)


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


def decode(data: bytes, mode: str, width: int = 0, height: int = 0, mends: int = MAX_MENDS) -> Pixels | None:
    """Pixels (height, width) in mode "L" or (height, width, 3) in "RGB", at the smallest scale of at least these sides.

    Bit for bit those of Pillow, which would make up what is missing. None in another mode, and where simplejpeg does not
    know the layout: chroma shrunk in an unusual way. Raises ValueError, LookupError or struct.error.
    """
    if mode not in SPACES:
        return None
    try:
        pixels: Pixels = decode_jpeg(data, SPACES[mode], min_height=height, min_width=width)
    except ValueError as error:
        if "subsampling" in str(error):
            return None
        if not mends:
            raise
        return decode(_mended(data, str(error)), mode, width, height, mends - 1)
    return pixels[:, :, 0] if mode == "L" else pixels


def _mended(data: bytes, complaint: str) -> bytes:
    """The file with what is wrong outside its pixels set right, as far as one complaint of libjpeg's goes.

    A transfer that was cut, or a camera switched off, may cost the end marker alone; scanners fill up before it, and others
    between segments. Whether all pixels are there, libjpeg then says again. Raises ValueError where nothing is to be mended.
    """
    header = read_header(data)
    if complaint == NO_END and END_OF_IMAGE not in header.segments and _has_all_bits(data, header):
        return data + END
    if header.process in HUFFMAN and (strays := STRAYS_AT_END.search(complaint)):
        return _without_fill_at_end(data[: header.segments[END_OF_IMAGE][0] - 2], int(strays[1]))
    if STRAYS in complaint:
        return _without_fill_between(data, header)
    raise ValueError(complaint)


def _has_all_bits(data: bytes, header: Jpeg) -> bool:
    """Whether the scans begun bring every coefficient of every colour down to its last bit."""
    missing: dict[tuple[int, int], int] = {}
    for at in header.segments[START_OF_SCAN]:
        spectrum = at + 3 + 2 * data[at + 2]
        for color in data[at + 3 : spectrum : 2]:
            band = range(data[spectrum], data[spectrum + 1] + 1)
            missing |= {(color, index): data[spectrum + 2] & 15 for index in band}
    return header.process in HUFFMAN and len(missing) == header.colors * COEFFICIENTS and not any(missing.values())


def _without_fill_at_end(scans: bytes, strays: int) -> bytes:
    """More than a few other bytes than fill may be pixels, of a picture larger than its header says or changed on its way."""
    fill = scans[-max(FILL_BYTES, strays) :]  # libjpeg counts a few too few, for it has read ahead
    if not _is_fill(fill) and strays > FEW_STRAYS:
        raise ValueError("more than the pixels")
    coded = scans.rstrip(bytes(set(fill))) if _is_fill(fill) else scans[:-strays]
    return coded + b"\0" * coded.endswith(b"\xff") + END  # in coded pixels 0 follows each 0xFF


def _without_fill_between(data: bytes, header: Jpeg) -> bytes:
    scan = header.segments[START_OF_SCAN][0]
    begins = sorted(at for places in header.segments.values() for at in places if at <= scan)
    ends = [2, *(at + unpack_from(">H", data, at)[0] for at in begins)]
    if not all(_is_fill(data[end : at - 2]) for end, at in zip(ends, begins, strict=False)):
        raise ValueError("something between segments")
    kept = (data[at - 2 : end] for at, end in zip(begins, ends[1:], strict=True))
    return b"".join([data[:2], *kept, data[ends[-1] :]])


def _is_fill(stray: bytes) -> bool:
    return not any(stray) or len(set(stray)) <= min(len(stray) // FILL_BYTES, FILL_VALUES)
