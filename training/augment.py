"""Pictures in another position, on another display, softer or noisier. float32 (n, SIDE, SIDE), 0…1."""

import numpy as np

from app.imaging import Pixels
from training.batch_random import COLUMNS, ROWS, SIDE, BatchRandom, Greys, Mask, border, stretched

TURN_SHARE, INVERT_SHARE = 0.45, 0.2  # shares turned by quarters, inverted
CURVE_PIECES = 6  # of a random grey curve
MAX_BEND = 2.5  # most pixels of bending
ZOOM_RANGE = (0.65, 1.7)  # of scales
STRETCH_SPREAD = 0.12  # of the ratio of width to height, as its logarithm
NONE_GROUNDED = np.zeros((1, 1, 1), bool)


def augment(rng: np.random.Generator, pictures: Greys, grounded: Mask = NONE_GROUNDED) -> Pixels:
    """The same pictures, each seen otherwise, as uint8; the `grounded`, (n, 1, 1), stay apart from their background."""
    random = BatchRandom(rng, len(pictures))
    fill = np.where(random.chance(0.85) | grounded, border(pictures), random.uniform(0, 1))
    augmented = _grain(random, _display(random, warp(random, pictures, fill), grounded))
    return (np.clip(augmented, 0, 1) * 255 + 0.5).astype(np.uint8)


def warp(
    rng: BatchRandom, pictures: Greys, fill: Greys, turn: float = TURN_SHARE, zoom: tuple[float, float] = ZOOM_RANGE
) -> Greys:
    """Turned, mirrored, zoomed, stretched, shifted and bent; what comes from outside is `fill`, (n, 1, 1)."""
    quarters = np.pi / 2 * rng.generator.integers(0, 4, (rng.n, 1, 1)) * rng.chance(turn)
    angle = np.deg2rad(rng.generator.normal(0, 10, (rng.n, 1, 1))) + quarters
    scale, stretch = rng.log_uniform(*zoom), np.exp(rng.generator.normal(0, STRETCH_SPREAD, (rng.n, 1, 1)))
    mirror = rng.generator.choice([-1, 1], (rng.n, 1, 1))
    across = np.cos(angle) * mirror / scale / stretch, -np.sin(angle) / scale / stretch
    down = np.sin(angle) * mirror / scale * stretch, np.cos(angle) / scale * stretch
    x, y, bend = COLUMNS - (SIDE - 1) / 2, ROWS - (SIDE - 1) / 2, rng.uniform(0, MAX_BEND)
    columns, rows = (
        (a * x + b * y).astype(np.float32) + (SIDE - 1) / 2 + rng.uniform(-7, 7) + bend * rng.clouds(4)
        for a, b in (across, down)
    )
    return sample(pictures - fill, rows, columns) + fill


def sample(pictures: Greys, rows: Greys, columns: Greys) -> Greys:
    """Each picture at fractional positions (n, SIDE, SIDE), linearly interpolated; zero outside."""
    side = SIDE + 2
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1))).ravel()
    rows, columns = (np.clip(axis + 1, 0, SIDE + 0.999) for axis in (rows, columns))
    top, left = np.floor(rows), np.floor(columns)
    below, right = rows - top, columns - left
    first = (np.arange(len(pictures), dtype=np.int32) * side * side)[:, np.newaxis, np.newaxis]
    corner = top.astype(np.int32) * side + left.astype(np.int32) + first
    upper = padded[corner] * (1 - right) + padded[corner + 1] * right
    lower = padded[corner + side] * (1 - right) + padded[corner + side + 1] * right
    return upper * (1 - below) + lower * below


def _display(rng: BatchRandom, pictures: Greys, grounded: Mask) -> Greys:
    """Another display: a random curve, background to black, stretch, gamma, contrast and brightness, inversion."""
    pictures = np.where(rng.chance(0.3), _curved(rng, pictures), pictures)
    greys = np.where(rng.chance(0.25) & ~grounded, np.clip(pictures - border(pictures), 0, 1), pictures)
    greys = np.where(rng.chance(0.4) & ~grounded, stretched(greys, least=0.05), greys)
    greys = np.clip(greys, 0, 1) ** rng.log_uniform(0.45, 2.2)
    other = np.clip(greys * rng.log_uniform(0.2, 1.5) + rng.uniform(-0.2, 0.3), 0, 1)
    kept = other.std((1, 2), keepdims=True) > 0.2 * greys.std((1, 2), keepdims=True)  # not washed out entirely
    greys = np.where(rng.chance(0.5) & kept, other, greys)
    return np.where(rng.chance(INVERT_SHARE), 1 - greys, greys)


def _curved(rng: BatchRandom, pictures: Greys) -> Greys:
    """Through a rising curve of CURVE_PIECES straight pieces, from black to white."""
    heights = np.cumsum(np.exp(rng.generator.normal(0, 1, (rng.n, CURVE_PIECES))).astype(np.float32), axis=1)
    heights = np.pad(heights, ((0, 0), (1, 0))) / heights[:, -1:]
    place, picture = np.clip(pictures, 0, 1) * CURVE_PIECES, np.arange(rng.n)[:, np.newaxis, np.newaxis]
    piece = np.minimum(place.astype(int), CURVE_PIECES - 1)
    low, high = heights[picture, piece], heights[picture, piece + 1]
    return low + (high - low) * (place - piece)


def _grain(rng: BatchRandom, pictures: Greys) -> Greys:
    """Softer or sharper, then noise."""
    soft = np.pad(pictures, ((0, 0), (2, 2), (2, 2)), mode="edge")
    for _ in range(2):  # the binomial filter 1 2 1, twice each way
        soft = (soft[:, :-2] + 2 * soft[:, 1:-1] + soft[:, 2:]) / 4
        soft = (soft[:, :, :-2] + 2 * soft[:, :, 1:-1] + soft[:, :, 2:]) / 4
    pictures = pictures + (soft - pictures) * rng.uniform(-0.8, 1.2) * rng.chance(0.6)
    return pictures + rng.noise() * rng.uniform(0, 0.08) * rng.chance(0.4)
