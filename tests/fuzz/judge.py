"""What must hold for every file there could be: a picture within its limits or a PictureError, and soon.

python -m tests.fuzz.judge FILE
"""

import sys
from pathlib import Path

import numpy as np

from app import imaging
from app.imaging import Pixels, SizeLimits, View
from app.imaging.picture import MIN_SIDE
from app.imaging.sandbox import cost

CRASHES = Path(__file__).parent / "crashes"
LIMITS = SizeLimits(2**20)  # instead of 40 million pixels, so that what is found wanting is not just large
MOST_SECONDS = 5
VIEW = View(64, ct_window=(40, 400))


def judge(data: bytes) -> None:
    """Decode `data` in every way the service does. Raises what no file may cause."""
    cost(imaging.glance(data))
    try:
        read = imaging.open(data, LIMITS).read().pixels
        seen, _ = imaging.read_input(imaging.open(data, LIMITS), VIEW)
    except (imaging.PictureError, MemoryError):
        return
    _check(read, 2)
    _check(seen, 3)
    assert seen.shape == (VIEW.size, VIEW.size, 1)


def _check(pixels: Pixels, dimensions: int) -> None:
    assert pixels.dtype == np.uint8
    assert pixels.ndim == dimensions
    assert min(pixels.shape[:2]) >= MIN_SIDE
    assert pixels.size <= LIMITS.pixels


if __name__ == "__main__":
    judge(Path(sys.argv[1]).read_bytes())
