"""A map of evidence laid over the picture it came from."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.imaging.picture import Pixels

MOST_SIDE = 1024  # pixels; the map is far coarser than that
COLD, HOT = np.array([40, 60, 160]), np.array([255, 90, 0])
STRENGTH = 0.6  # of the hottest place over the picture


def overlay(pixels: Pixels, evidence: npt.NDArray[np.float32]) -> bytes:
    """PNG of a grey picture (height, width), tinted from its least evidence to its most; `evidence` is (h, w)."""
    image = Image.fromarray(pixels)
    image.thumbnail((MOST_SIDE, MOST_SIDE))
    heat = np.asarray(Image.fromarray(evidence).resize(image.size, Image.Resampling.BICUBIC))
    heat = ((heat - heat.min()) / max(float(np.ptp(heat)), 1e-6))[:, :, np.newaxis]  # (height, width, 1), 0…1
    grey, weight = np.asarray(image, np.float32)[:, :, np.newaxis], STRENGTH * np.abs(2 * heat - 1)
    tinted = grey * (1 - weight) + np.where(heat > 0.5, HOT, COLD) * weight
    file = io.BytesIO()
    Image.fromarray(tinted.round().clip(0, 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()
