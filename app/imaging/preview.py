"""What people are shown of a picture: a small one, or one under a map of evidence."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.imaging.picture import ImageFile, Pixels

THUMBNAIL_SIDE = 256  # pixels
OVERLAY_SIDE = 1024  # pixels; the map is far coarser than that
COLD, HOT = np.array([40, 60, 160]), np.array([255, 90, 0])
MAX_TINT = 0.6  # of the hottest place over the picture


def thumbnail(file: ImageFile, side: int = THUMBNAIL_SIDE) -> bytes:
    """PNG in grey of at most `side` pixels a side. Raises PictureError."""
    image = Image.fromarray(file.read(side).pixels)
    image.thumbnail((side, side))
    return png(image)


def overlay(pixels: Pixels, evidence: npt.NDArray[np.float32]) -> bytes:
    """PNG of a grey picture (height, width), tinted from its least evidence to its most; `evidence` is (h, w)."""
    image = Image.fromarray(pixels)
    image.thumbnail((OVERLAY_SIDE, OVERLAY_SIDE))
    heat = np.asarray(Image.fromarray(evidence).resize(image.size, Image.Resampling.BICUBIC))
    heat = ((heat - heat.min()) / max(float(np.ptp(heat)), 1e-6))[:, :, np.newaxis]  # (height, width, 1), 0…1
    grey, weight = np.asarray(image, np.float32)[:, :, np.newaxis], MAX_TINT * np.abs(2 * heat - 1)
    tinted = grey * (1 - weight) + np.where(heat > 0.5, HOT, COLD) * weight
    return png(Image.fromarray(tinted.round().clip(0, 255).astype(np.uint8)))


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
