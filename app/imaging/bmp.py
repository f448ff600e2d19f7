"""BMP through Pillow."""

from dataclasses import dataclass

from app.imaging import raster
from app.imaging.picture import ImageFile, Picture, SizeLimits, UnknownType, Window, as_damage


@dataclass(frozen=True, slots=True)
class BmpFile(raster.RasterFile):
    """A BMP that Pillow reads, its alpha with a grain of salt."""

    def read(self, at_least: int | None = None, ct_window: Window | None = None) -> Picture:
        with as_damage("BMP"), self.image as image:
            mode = image.mode
            if (
                mode == "RGBA" and not image.getchannel("A").getbbox()
            ):  # Windows' clipboard declares alpha and leaves it 0
                image.putalpha(255)
            return Picture(raster.grey(image), "BMP", mode)


@as_damage("BMP")
def open(data: bytes, limits: SizeLimits) -> ImageFile:
    """Raises PictureError."""
    file = raster.open(data, "BMP", limits)
    if file.image.tile[0].codec_name == "bmp_rle":  # type: ignore[attr-defined]  # Pillow decodes it in Python, damaged or not
        raise UnknownType("A BMP in run-length encoding is not read.")
    return BmpFile(file.size, file.image)
