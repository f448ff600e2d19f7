"""BMP through Pillow."""

from app.imaging import raster
from app.imaging.picture import ImageFile, SizeLimits, UnknownType, as_damage


@as_damage("BMP")
def open(data: bytes, limits: SizeLimits) -> ImageFile:
    """Raises PictureError."""
    file = raster.open(data, "BMP", limits)
    if file.image.tile[0].codec_name == "bmp_rle":  # type: ignore[attr-defined]  # Pillow decodes it in Python, damaged or not
        raise UnknownType("A BMP in run-length encoding is not read.")
    return file
