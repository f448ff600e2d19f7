"""Pictures of none of the classes: drawn from nothing, or broken out of training pictures until no region is left.

float32 (n, SIDE, SIDE), 0…1. They stand for anything at all, so nothing here imitates a kind of picture people have.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.imaging import Pixels
from training.augment import sample, warp
from training.batch_random import COLUMNS, ROWS, SIDE, BatchRandom, Greys, stretched

MAX_SHAPES = 40  # in one picture


@dataclass(frozen=True)
class Material:
    """What negatives are broken out of."""

    pictures: Greys  # augmented training pictures
    windowed: Greys  # repainted CT, before any change of its greys

    def some(self, random: BatchRandom) -> Greys:
        return self.pictures[random.rng.integers(0, len(self.pictures), random.n)]


def draw(rng: np.random.Generator, count: int, material: Material) -> Pixels:
    """`count` negatives of all kinds in random order, uint8."""
    shares = (np.array(list(KIND_SHARES.values())) * count).round().astype(int)
    shares[0] += count - shares.sum()
    drawn = [kind(BatchRandom(rng, share), material) for kind, share in zip(KIND_SHARES, shares.tolist(), strict=True)]
    return (np.clip(np.concatenate(drawn)[rng.permutation(count)], 0, 1) * 255).astype(np.uint8)


def _leaves(random: BatchRandom, material: Material) -> Greys:
    """Overlapping shaded shapes of all sizes: dead leaves, whose statistics are those of photographs.

    Lee, Mumford and Huang, Int. J. Comput. Vis. 41 (2001).
    """
    greys = random.uniform(0, 1) * random.chance(0.6) + random.chance(0.5) * random.uniform(0, 0.5) * random.clouds(5)
    count, smallest, thin = random.log_uniform(1, MAX_SHAPES), random.uniform(1.5, 12), random.uniform(0, 2)
    for number in range(MAX_SHAPES):
        angle, radius = random.uniform(0, np.pi), np.minimum(smallest / np.sqrt(random.uniform(0.01, 1)), 40)
        x, y = COLUMNS - random.uniform(-4, SIDE + 4), ROWS - random.uniform(-4, SIDE + 4)
        along = (x * np.cos(angle) + y * np.sin(angle)) / radius
        beside = (y * np.cos(angle) - x * np.sin(angle)) / radius / np.exp(-thin * random.uniform(0, 1))
        box = np.maximum(np.abs(along), np.abs(beside))
        edge = np.where(random.chance(0.6), np.hypot(along, beside), box)
        shade = random.uniform(0, 1) + random.uniform(-0.3, 0.3) * along
        shade = shade + random.uniform(-0.4, 0.4) * np.clip(edge, 0, 1) ** 4
        greys = np.where((edge < 1) & (number < count), shade, greys)
    texture = random.chance(0.5) * random.uniform(0, 0.25) * (_spectrum(random, material) - 0.5)
    return np.clip(greys + texture, 0, 1)


def _spectrum(random: BatchRandom, material: Material) -> Greys:
    """Noise whose amplitude falls as 1 / frequency ** 0…2.5, some of it pushed towards black and white."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.rfftfreq(SIDE), indexing="ij"))
    frequency[0, 0] = 1
    shaped = np.fft.rfft2(random.noise()) / frequency ** random.uniform(0, 2.5)
    noise = np.fft.irfft2(shaped).astype(np.float32)
    hard = np.tanh(noise / noise.std((1, 2), keepdims=True) * random.uniform(1, 8))
    return stretched(np.where(random.chance(0.3), hard, noise))


def _waves(random: BatchRandom, material: Material) -> Greys:
    """Gratings, checkerboards and rings, bent by clouds."""
    bend = random.uniform(0, 8) * random.clouds(4) * random.chance(0.6)
    angle, frequency = random.uniform(0, np.pi), random.log_uniform(0.04, 1.5)
    along = COLUMNS * np.cos(angle) + ROWS * np.sin(angle) + bend
    beside = ROWS * np.cos(angle) - COLUMNS * np.sin(angle) + bend
    ring = np.hypot(COLUMNS - random.uniform(0, SIDE), ROWS - random.uniform(0, SIDE)) + bend
    kind = random.rng.integers(0, 3, (random.n, 1, 1))
    stripes = np.sin(frequency * along)
    waves = np.select([kind == 0, kind == 1], [stripes, stripes * np.sin(frequency * beside)], np.sin(frequency * ring))
    hard = stretched(np.tanh(waves * random.log_uniform(0.4, 12)))
    return hard * random.uniform(0.1, 1) + 0.2 * random.clouds(3) * random.chance(0.5)


def _shuffled(random: BatchRandom, material: Material) -> Greys:
    """Squares of one picture in another order, half of them turned."""
    pictures = material.some(random)
    for row, size in enumerate(random.rng.choice([8, 16, 32], random.n, p=[0.4, 0.4, 0.2]).tolist()):
        across = SIDE // size
        tiles = pictures[row].reshape(across, size, across, size).swapaxes(1, 2).reshape(-1, size, size)
        tiles = tiles[random.rng.permutation(across * across)]
        tiles = np.where(random.rng.random((len(tiles), 1, 1)) < 0.5, tiles, tiles[:, ::-1].swapaxes(1, 2))
        pictures[row] = tiles.reshape(across, across, size, size).swapaxes(1, 2).reshape(SIDE, SIDE)
    return pictures


def _blended(random: BatchRandom, material: Material) -> Greys:
    """Two pictures over each other, or in patches beside each other."""
    one, other = material.some(random), np.rot90(material.some(random), 1, (1, 2))
    weight = np.where(random.chance(0.5), random.uniform(0.35, 0.65), random.clouds(2) > 0)
    return one * weight + other * (1 - weight)


def _fragments(random: BatchRandom, material: Material) -> Greys:
    """A picture so close that its region is lost."""
    black = np.zeros((random.n, 1, 1), np.float32)
    close = warp(random, material.some(random), black, turn=1, zoom=(1.5, 2.5))
    return stretched(warp(random, close, black, turn=1, zoom=(2, 2.5))) * random.uniform(0.4, 1)


def _melted(random: BatchRandom, material: Material) -> Greys:
    """A picture bent by 7 to 16 pixels."""
    reach = random.uniform(7, 16)
    rows, columns = (np.clip(axis + reach * random.clouds(4), 0, SIDE - 1) for axis in (ROWS, COLUMNS))
    return sample(material.some(random), rows, columns)


def _unphysical(random: BatchRandom, material: Material) -> Greys:
    """A CT whose bone is darker than its surroundings: no window shows that."""
    if not len(material.windowed):
        return _melted(random, material)
    greys = stretched(material.windowed[random.rng.integers(0, len(material.windowed), random.n)])
    middle = random.uniform(0.3, 0.7)
    folded = np.minimum(greys / middle, (1 - greys) / (1 - middle))
    return np.clip(folded, 0, 1) ** random.log_uniform(0.6, 1.6)


KIND_SHARES: dict[Callable[[BatchRandom, Material], Greys], float] = {
    _leaves: 0.3,
    _spectrum: 0.09,
    _waves: 0.1,
    _shuffled: 0.12,
    _blended: 0.11,
    _fragments: 0.1,
    _melted: 0.1,
    _unphysical: 0.08,
}
