"""Pictures of none of the classes, for data without real ones: drawn, or broken out of training pictures.

float32 (n, SIDE, SIDE), 0…1. They stand for anything at all, so nothing here imitates a kind of picture people have.
"""

from collections.abc import Callable

import numpy as np

from app.imaging import Pixels
from training.augment import warp
from training.batch_random import COLUMNS, ROWS, SIDE, BatchRandom, Greys, stretched

MAX_SHAPES = 40  # in one picture


def draw(rng: np.random.Generator, count: int, material: Greys) -> Pixels:
    """`count` negatives of all kinds in random order, uint8, some made of `material`, training pictures."""
    shares = (np.array(list(KIND_SHARES.values())) * count).round().astype(int)
    shares[0] += count - shares.sum()
    drawn = [
        (np.clip(kind(BatchRandom(rng, share), material), 0, 1) * 255).astype(np.uint8)  # a quarter of the room
        for kind, share in zip(KIND_SHARES, shares.tolist(), strict=True)
    ]
    return np.concatenate(drawn)[rng.permutation(count)]


def _some(rng: BatchRandom, material: Greys) -> Greys:
    return material[rng.generator.integers(0, len(material), rng.n)]


def _leaves(rng: BatchRandom, material: Greys) -> Greys:
    """Overlapping shaded shapes of all sizes: dead leaves, whose statistics are those of photographs.

    Lee, Mumford and Huang, Int. J. Comput. Vis. 41 (2001).
    """
    greys = rng.uniform(0, 1) * rng.chance(0.6) + rng.chance(0.5) * rng.uniform(0, 0.5) * rng.clouds(5)
    count, smallest, thin = rng.log_uniform(1, MAX_SHAPES), rng.uniform(1.5, 12), rng.uniform(0, 2)
    for number in range(MAX_SHAPES):
        angle, radius = rng.uniform(0, np.pi), np.minimum(smallest / np.sqrt(rng.uniform(0.01, 1)), 40)
        x, y = COLUMNS - rng.uniform(-4, SIDE + 4), ROWS - rng.uniform(-4, SIDE + 4)
        along = (x * np.cos(angle) + y * np.sin(angle)) / radius
        beside = (y * np.cos(angle) - x * np.sin(angle)) / radius / np.exp(-thin * rng.uniform(0, 1))
        box = np.maximum(np.abs(along), np.abs(beside))
        edge = np.where(rng.chance(0.6), np.hypot(along, beside), box)
        shade = rng.uniform(0, 1) + rng.uniform(-0.3, 0.3) * along
        shade = shade + rng.uniform(-0.4, 0.4) * np.clip(edge, 0, 1) ** 4
        greys = np.where((edge < 1) & (number < count), shade, greys)
    texture = rng.chance(0.5) * rng.uniform(0, 0.25) * (_spectrum(rng, material) - 0.5)
    return np.clip(greys + texture, 0, 1)


def _spectrum(rng: BatchRandom, material: Greys) -> Greys:
    """Noise whose amplitude falls as 1 / frequency ** 0…2.5, some of it pushed towards black and white."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.rfftfreq(SIDE), indexing="ij"))
    frequency[0, 0] = 1
    shaped = np.fft.rfft2(rng.noise()) / frequency ** rng.uniform(0, 2.5)
    noise = np.fft.irfft2(shaped).astype(np.float32)
    hard = np.tanh(noise / noise.std((1, 2), keepdims=True) * rng.uniform(1, 8))
    return stretched(np.where(rng.chance(0.3), hard, noise))


def _waves(rng: BatchRandom, material: Greys) -> Greys:
    """Gratings, checkerboards and rings, bent by clouds."""
    bend = rng.uniform(0, 8) * rng.clouds(4) * rng.chance(0.6)
    angle, frequency = rng.uniform(0, np.pi), rng.log_uniform(0.04, 1.5)
    along = COLUMNS * np.cos(angle) + ROWS * np.sin(angle) + bend
    beside = ROWS * np.cos(angle) - COLUMNS * np.sin(angle) + bend
    ring = np.hypot(COLUMNS - rng.uniform(0, SIDE), ROWS - rng.uniform(0, SIDE)) + bend
    kind = rng.generator.integers(0, 3, (rng.n, 1, 1))
    stripes = np.sin(frequency * along)
    waves = np.select([kind == 0, kind == 1], [stripes, stripes * np.sin(frequency * beside)], np.sin(frequency * ring))
    hard = stretched(np.tanh(waves * rng.log_uniform(0.4, 12)))
    return hard * rng.uniform(0.1, 1) + 0.2 * rng.clouds(3) * rng.chance(0.5)


def _shuffled(rng: BatchRandom, material: Greys) -> Greys:
    """Squares of one picture in another order, half of them turned."""
    pictures = _some(rng, material)
    for row, size in enumerate(rng.generator.choice([8, 16, 32], rng.n, p=[0.4, 0.4, 0.2]).tolist()):
        across = SIDE // size
        tiles = pictures[row].reshape(across, size, across, size).swapaxes(1, 2).reshape(-1, size, size)
        tiles = tiles[rng.generator.permutation(across * across)]
        tiles = np.where(rng.generator.random((len(tiles), 1, 1)) < 0.5, tiles, tiles[:, ::-1].swapaxes(1, 2))
        pictures[row] = tiles.reshape(across, across, size, size).swapaxes(1, 2).reshape(SIDE, SIDE)
    return pictures


def _fragments(rng: BatchRandom, material: Greys) -> Greys:
    """A picture so close that its region is lost."""
    black = np.zeros((rng.n, 1, 1), np.float32)
    close = warp(rng, _some(rng, material), black, turn=1, zoom=(1.5, 2.5))
    return stretched(warp(rng, close, black, turn=1, zoom=(2, 2.5))) * rng.uniform(0.4, 1)


KIND_SHARES: dict[Callable[[BatchRandom, Greys], Greys], float] = {
    _leaves: 0.4,
    _spectrum: 0.15,
    _waves: 0.15,
    _shuffled: 0.15,
    _fragments: 0.15,
}
