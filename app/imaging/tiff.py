"""TIFF: which page is the picture, and whether its strips or tiles are all there; Pillow and libtiff make up what is missing.

Grey ones go through libtiff itself: Pillow knows no doubles, and takes signed bytes for unsigned ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from struct import calcsize, pack_into, unpack_from
from typing import NamedTuple

from imagecodecs import tiff_decode
from PIL import Image

from app.imaging import raster
from app.imaging.picture import (
    ImageFile,
    Picture,
    SizeLimits,
    UnknownType,
    UnusablePicture,
    Window,
    as_damage,
    check_size,
)
from app.imaging.png import unpacked

SUBFILE, OLD_SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 255, 256, 257, 258, 259, 262
OFFSETS, ORIENTATION, SAMPLES, ROWS, COUNTS, PLANAR = 273, 274, 277, 278, 279, 284
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, SUB_DIRECTORIES = 322, 323, 324, 325, 330
READ = {*range(SUBFILE, PLANAR + 1), *range(TILE_WIDTH, SUB_DIRECTORIES + 1)}  # junk in others does no harm
NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}  # by the type of a tag

REDUCED, MASK, OLD_REDUCED = 1, 4, 2  # the first two are bits
MIN_IS_WHITE, MIN_IS_BLACK = 0, 1
UNCOMPRESSED, DEFLATE, SEPARATE = 1, {8, 32946}, 2
MAX_PAGES = 100  # a pyramid halves its sides ten times, a slide adds its label

Tags = Mapping[int, tuple[int, ...]]


class Layout(NamedTuple):
    """How a file writes its directories."""

    order: str  # of bytes, as struct has it
    word: str  # an offset, which is also as long as a value beside its tag
    counter: str  # of a directory's entries
    first: int  # where the first offset is

    def read(self, format: str, data: bytes | bytearray, at: int) -> tuple[int, ...]:
        return unpack_from(self.order + format, data, at)


@dataclass(frozen=True, slots=True)
class GreyFile(ImageFile):
    """A TIFF of one number a pixel."""

    data: bytes
    tags: Tags

    @as_damage("TIFF")
    def read(self, at_least: int | None = None, ct_window: Window | None = None) -> Picture:
        values = tiff_decode(self.data)
        if values.dtype.kind not in "uif":
            raise UnknownType("A TIFF of complex numbers is not read.")
        if values.shape != (self.tags[HEIGHT][0], self.tags[WIDTH][0]):
            raise ValueError("other sides than the header says")
        pixels = raster.scaled(values)
        image = Image.fromarray(255 - pixels if self.tags.get(PHOTOMETRIC) == (MIN_IS_WHITE,) else pixels)
        image.getexif()[ORIENTATION] = self.tags.get(ORIENTATION, (1,))[0]
        raster.turn_upright(image)
        return Picture(raster.grey(image), "TIFF", values.dtype.name)


@as_damage("TIFF")
def open(data: bytes, limits: SizeLimits) -> ImageFile:
    """Raises PictureError."""
    data, tags = _single(data)
    size = check_size(tags[WIDTH][0], tags[HEIGHT][0], limits)
    _check_parts(data, tags)
    bits, photometric = tags.get(BITS, (1,)), tags.get(PHOTOMETRIC, (MIN_IS_BLACK,))[0]
    if (
        len(bits) == 1
        and bits[0] >= 8
        and tags.get(SAMPLES, (1,)) == (1,)
        and photometric in {MIN_IS_WHITE, MIN_IS_BLACK}
    ):
        return GreyFile(size, data, tags)
    return raster.open(data, "TIFF", limits)


def _single(data: bytes) -> tuple[bytes, Tags]:
    """The file with its picture as the only page, and that page's tags. Raises struct.error, KeyError or UnusablePicture.

    What is smaller of the same, in a pyramid or for a preview, and what is a mask is no page of its own (TIFF 6.0,
    NewSubfileType). A camera's raw file has the preview in front and the picture below it (TIFF/EP).
    """
    layout = _layout(data)
    pages = _pages(data, layout)
    full = [at for at, tags in pages.items() if not _is_beside(tags)]
    if not full:
        below = {at: _directory(data, layout, at)[0] for tags in pages.values() for at in tags.get(SUB_DIRECTORIES, ())}
        pages |= below
        full = [at for at, tags in below.items() if not _is_beside(tags)] or list(pages)
    if len(full) > 1 or len(pages) > MAX_PAGES:
        raise UnusablePicture(raster.SEVERAL)
    (picture,) = full
    return data if len(pages) == 1 else _alone(data, layout, picture), pages[picture]


def _is_beside(tags: Tags) -> bool:
    """Whether a page is but a smaller form or a mask of another."""
    return tags.get(OLD_SUBFILE) == (OLD_REDUCED,) or bool(tags.get(SUBFILE, (0,))[0] & (REDUCED | MASK))


def _layout(data: bytes) -> Layout:
    order = "<" if data[:1] == b"I" else ">"
    return Layout(order, "Q", "Q", 8) if b"+" in data[2:4] else Layout(order, "I", "H", 4)


def _pages(data: bytes, layout: Layout) -> dict[int, Tags]:
    """The chain of directories by their places, ended where it is a circle, and soon after there are too many."""
    pages: dict[int, Tags] = {}
    (at,) = layout.read(layout.word, data, layout.first)
    while at and at not in pages and len(pages) <= MAX_PAGES:
        pages[at], at = _directory(data, layout, at)
    return pages


def _directory(data: bytes, layout: Layout, at: int) -> tuple[Tags, int]:
    """Its whole numbers by their tags, and where the next directory is. Raises struct.error."""
    entry, tags, word = "HH" + layout.word, dict[int, tuple[int, ...]](), calcsize(layout.word)
    for place in range(*_entries(data, layout, at)):
        tag, kind, count = layout.read(entry, data, place)
        if tag in READ and kind in NUMBERS:
            value = place + 4 + word
            if count * calcsize(NUMBERS[kind]) > word:
                (value,) = layout.read(layout.word, data, value)
            tags.setdefault(tag, layout.read(f"{count}{NUMBERS[kind]}", data, value))
    return tags, layout.read(layout.word, data, _entries(data, layout, at)[1])[0]


def _entries(data: bytes, layout: Layout, at: int) -> tuple[int, int, int]:
    """Where a directory's entries begin and end, and their length."""
    length, start = 4 + 2 * calcsize(layout.word), at + calcsize(layout.counter)
    return start, start + layout.read(layout.counter, data, at)[0] * length, length


def _alone(data: bytes, layout: Layout, at: int) -> bytes:
    """The file as if this page were its only one."""
    alone = bytearray(data)
    pack_into(layout.order + layout.word, alone, layout.first, at)
    pack_into(layout.order + layout.word, alone, _entries(data, layout, at)[1], 0)
    return bytes(alone)


def _check_parts(data: bytes, tags: Tags) -> None:
    """Raises ValueError, zlib.error or LookupError."""
    across, down, needed, offsets, counts = _parts(tags)
    view, bits, coding = memoryview(data), sum(tags.get(BITS, (1,))), tags.get(COMPRESSION, (UNCOMPRESSED,))[0]
    parts = [view[offset : offset + count] for offset, count in zip(offsets, counts, strict=True)]
    if len(parts) < needed or sum(map(len, parts)) < sum(counts):
        raise ValueError("parts are missing")
    if coding == UNCOMPRESSED and 8 * sum(counts) < tags[WIDTH][0] * tags[HEIGHT][0] * bits:
        raise ValueError("too little data")
    for part in parts if coding in DEFLATE else ():
        unpacked([part], down * (across * bits // 8 + 1))  # libtiff does not look at the checksum


def _parts(tags: Tags) -> tuple[int, int, int, tuple[int, ...], tuple[int, ...]]:
    """Columns and rows of a part, how many parts are needed, and where in the file they are and how long."""
    (width,), (height,) = tags[WIDTH], tags[HEIGHT]
    if TILE_OFFSETS in tags:
        (across,), (down,) = tags[TILE_WIDTH], tags[TILE_HEIGHT]
        offsets, counts = tags[TILE_OFFSETS], tags[TILE_COUNTS]
    else:
        across, down, offsets, counts = width, min(tags.get(ROWS, (height,))[0], height), tags[OFFSETS], tags[COUNTS]
    planes = tags.get(SAMPLES, (1,))[0] if tags.get(PLANAR) == (SEPARATE,) else 1
    return across, down, -(-width // across) * -(-height // down) * planes, offsets, counts
