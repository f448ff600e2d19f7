"""Breast MRI as another sequence would have shown it: fat suppressed, which Medical MNIST's never is.

Its CT was repainted, too, through invented Hounsfield units, until real CT from elsewhere was learned from; README.md of
`training` has the figures.
"""

import numpy as np
from scipy import ndimage

from app.imaging import Pixels
from training.batch_random import COLUMNS, ROWS, BatchRandom, Greys, Mask, border

REPAINTED = "BreastMRI"  # the class; any other is left as it is
REPAINTED_SHARE = 0.5  # of its pictures
VISIBLE_LEVELS = 12  # grey levels above the border that count as tissue
OUTLINE_DIRECTIONS = 24  # half-planes whose meeting is the body's outline
LEVELS_PER_PIXEL = 4  # of depth, in the stored plane
OUTLINED_AT_ONCE = 1000  # pictures


def outline(pictures: Pixels) -> Pixels:
    """Two planes for each of `pictures`, (n, 2, side, side): depth below the convex outline, density of visible tissue."""
    planes = np.zeros((len(pictures), 2, *pictures.shape[1:]), np.uint8)
    for start in range(0, len(pictures), OUTLINED_AT_ONCE):
        some = slice(start, start + OUTLINED_AT_ONCE)
        planes[some] = _outline(pictures[some].astype(np.float32))
    return planes


def repaint(rng: np.random.Generator, pictures: Pixels, planes: Pixels) -> Greys:
    """Most of `pictures` (n, side, side) fat-suppressed, the rest as they are, 0…1."""
    greys = pictures / np.float32(255)
    rows = np.flatnonzero(rng.random(len(pictures)) < REPAINTED_SHARE)
    depth, density = planes[rows, 0] / np.float32(LEVELS_PER_PIXEL), planes[rows, 1] / np.float32(255)
    greys[rows] = _fat_suppressed(BatchRandom(rng, len(rows)), greys[rows], depth, density)
    return greys


def _outline(greys: Greys) -> Pixels:
    visible = greys - border(greys) > VISIBLE_LEVELS
    body = visible & _largest(visible)
    depth = np.full(greys.shape, 99, np.float32)
    for angle in np.arange(OUTLINE_DIRECTIONS) * 2 * np.pi / OUTLINE_DIRECTIONS:
        height = ROWS * np.float32(np.sin(angle)) + COLUMNS * np.float32(np.cos(angle))
        depth = np.minimum(depth, np.where(body, height, -99).max((1, 2), keepdims=True) + 0.5 - height)
    smooth = ndimage.gaussian_filter(depth, (0, 2, 2)) * LEVELS_PER_PIXEL
    density = ndimage.gaussian_filter(body.astype(np.float32), (0, 1.5, 1.5)) * 255
    return np.stack([smooth.clip(0, 255), density], axis=1).astype(np.uint8)


def _largest(visible: Mask) -> Mask:
    """The largest thing in each picture, its parts being at most two pixels apart."""
    within = np.zeros((3, 3, 3), bool)
    within[1] = True  # neighbours in a picture, not across pictures
    things, count = ndimage.label(ndimage.binary_dilation(visible, within), within)
    sizes = np.bincount(things.ravel(), minlength=count + 1)
    sizes[0] = 0
    flat = things.reshape(len(visible), -1)
    largest = flat[np.arange(len(flat)), sizes[flat].argmax(axis=1)]
    return things == largest[:, np.newaxis, np.newaxis]


def _fat_suppressed(rng: BatchRandom, greys: Greys, depth: Greys, density: Greys) -> Greys:
    """Fat turns dark; gland, skin and heart are bright."""
    faint = 0.8 * ((depth > 2) & (density > 0.012))
    whole = np.clip(np.maximum(density * 1.5, faint), 0, 1)
    skin = np.exp(-(((whole - 0.45) / 0.2) ** 2)) * rng.uniform(0, 0.6)
    turned = np.clip(1 - greys * rng.uniform(1, 2), 0, 1) * (0.7 + 0.5 * rng.clouds(10))
    inner = rng.uniform(0.05, 0.3) + rng.uniform(0.1, 0.8) * turned
    gland = np.clip(rng.clouds(8) - rng.uniform(0.3, 1.5), 0, 1) * rng.uniform(0, 1)
    return np.clip(whole * (inner + gland) + skin, 0, 1) * rng.uniform(0.3, 1)
