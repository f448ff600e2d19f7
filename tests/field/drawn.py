"""The pictures that files from the field hold here, drawn, and whether a file shows one as people see it."""

import numpy as np

from app.imaging import Pixels, decode
from training import phantoms

HAND, HEAD = (phantoms.draw(kind, np.random.default_rng(12345)) for kind in ("Hand", "HeadCT"))  # (64, 64), 0 is black
TOLERANCE = 10  # of 255: what compression and a window may cost


def assert_shows(data: bytes, picture: Pixels = HAND) -> None:
    pixels = decode(data).pixels
    assert pixels.shape == picture.shape
    assert np.abs(pixels.astype(int) - picture).max() <= TOLERANCE
