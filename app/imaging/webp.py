"""WebP through Pillow: how large its header says it is, before Pillow makes room for the pixels."""

from struct import unpack_from

from app.imaging import raster
from app.imaging.picture import ImageFile, SizeLimits, as_damage, check_size


@as_damage("WEBP")
def open(data: bytes, limits: SizeLimits) -> ImageFile:
    """Raises PictureError."""
    check_size(*_size(data), SizeLimits(limits.pixels // 2))  # Pillow takes 15 bytes for each
    return raster.open(data, "WEBP", limits)


def _size(data: bytes) -> tuple[int, int]:
    """Width and height by the first chunk."""
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
