"""Random values for many pictures at once, and the few facts about a picture that drawing needs.

Pictures here are float32 (n, SIDE, SIDE), 0 black to 1 white.
"""

import numpy as np
import numpy.typing as npt

Greys = npt.NDArray[np.floating]  # float32 in fact; mypy cannot follow numpy's promotions
Mask = npt.NDArray[np.bool_]

SIDE = 64
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE].astype(np.float32)  # (SIDE, SIDE) each


class BatchRandom:
    """Thrown for n pictures: one value a picture is (n, 1, 1), so that it meets pictures of (n, SIDE, SIDE)."""

    def __init__(self, generator: np.random.Generator, n: int) -> None:
        self.generator, self.n = generator, n

    def uniform(self, low: float, high: float) -> Greys:
        return self.generator.uniform(low, high, (self.n, 1, 1)).astype(np.float32)

    def log_uniform(self, low: float, high: float) -> Greys:
        return np.exp(self.uniform(float(np.log(low)), float(np.log(high))))

    def chance(self, probability: float) -> Mask:
        return self.generator.random((self.n, 1, 1)) < probability

    def noise(self) -> Greys:
        """White, standard normal, (n, SIDE, SIDE)."""
        return self.generator.standard_normal((self.n, SIDE, SIDE), np.float32)

    def clouds(self, cells: int) -> Greys:
        """Smooth noise, mostly within ±1, `cells` bumps across: white noise on a grid, interpolated linearly."""
        grid = self.generator.standard_normal((self.n, cells + 1, cells + 1), np.float32)
        place = np.linspace(0, cells, SIDE, endpoint=False)
        left, part = place.astype(int), (place % 1).astype(np.float32)
        weights = np.zeros((SIDE, cells + 1), np.float32)
        weights[np.arange(SIDE), left], weights[np.arange(SIDE), left + 1] = 1 - part, part
        return weights @ grid @ weights.T


def border(pictures: Greys) -> Greys:
    """The median of each picture's edge, (n, 1, 1)."""
    edges = [pictures[:, 0], pictures[:, -1], pictures[:, :, 0], pictures[:, :, -1]]
    return np.median(np.concatenate(edges, axis=1), axis=1)[:, np.newaxis, np.newaxis]


def stretched(pictures: Greys, least: float = 1e-3) -> Greys:
    """Each picture's own range spread over 0…1; a range below `least` is not blown up."""
    low, high = pictures.min((1, 2), keepdims=True), pictures.max((1, 2), keepdims=True)
    return (pictures - low) / np.maximum(high - low, np.float32(least))
