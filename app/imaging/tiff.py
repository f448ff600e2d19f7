"""TIFF through Pillow: whether its strips or tiles are all there; Pillow and libtiff make up what is missing."""

from collections.abc import Mapping
from typing import Any

from app.imaging import raster
from app.imaging.picture import ImageFile, SizeLimits, as_damage
from app.imaging.png import unpacked

WIDTH, HEIGHT, BITS, COMPRESSION, SAMPLES, ROWS, PLANAR = 256, 257, 258, 259, 277, 278, 284
OFFSETS, COUNTS, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS = 273, 279, 322, 323, 324, 325
UNCOMPRESSED, DEFLATE, SEPARATE = 1, {8, 32946}, 2


@as_damage("TIFF")
def open(data: bytes, limits: SizeLimits) -> ImageFile:
    """Raises PictureError."""
    file = raster.open(data, "TIFF", limits)
    _check_parts(data, file.image.tag_v2)  # type: ignore[attr-defined]
    return file


def _check_parts(data: bytes, tags: Mapping[int, Any]) -> None:
    """Raises ValueError, zlib.error or LookupError."""
    across, down, needed, offsets, counts = _layout(tags)
    view, bits, coding = memoryview(data), sum(tags.get(BITS, (1,))), tags.get(COMPRESSION, UNCOMPRESSED)
    parts = [view[offset : offset + count] for offset, count in zip(offsets, counts, strict=True)]
    if len(parts) < needed or sum(map(len, parts)) < sum(counts):
        raise ValueError("parts are missing")
    if coding == UNCOMPRESSED and 8 * sum(counts) < tags[WIDTH] * tags[HEIGHT] * bits:
        raise ValueError("too little data")
    for part in parts if coding in DEFLATE else ():
        unpacked([part], down * (across * bits // 8 + 1))  # libtiff does not look at the checksum


def _layout(tags: Mapping[int, Any]) -> tuple[int, int, int, tuple[int, ...], tuple[int, ...]]:
    """Columns and rows of a part, how many parts are needed, and where in the file they are and how long."""
    width, height = tags[WIDTH], tags[HEIGHT]
    if TILE_OFFSETS in tags:
        across, down, offsets, counts = (tags[tag] for tag in (TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS))
    else:
        across, down, offsets, counts = width, min(tags.get(ROWS, height), height), tags[OFFSETS], tags[COUNTS]
    planes = tags.get(SAMPLES, 1) if tags.get(PLANAR) == SEPARATE else 1
    return across, down, -(-width // across) * -(-height // down) * planes, offsets, counts
