"""Training pictures repainted, augmented, and broken up into negatives."""

import numpy as np

from app.imaging import Pixels
from training import negatives, repaint
from training.augment import augment
from training.batch_random import Greys
from training.datasets import Indices
from training.split import Split


class Augmenter:
    """Some pictures of a split, outlined once, to be changed as often as wanted. Rows count within those pictures."""

    def __init__(self, split: Split, rows: Indices) -> None:
        self.inputs, self.rows = split.pictures.inputs[:, :, :, 0], rows
        self.names = np.array(split.pictures.classes)[split.pictures.labels[rows]]
        self.planes = repaint.outline(self.inputs, rows, self.names)

    def augmented(self, rng: np.random.Generator, rows: Indices) -> Pixels:
        """Copies as another scanner, display and position would have made them, (n, side, side)."""
        return augment(rng, self._repainted(rng, rows))

    def negatives(self, rng: np.random.Generator, count: int, material: int) -> Pixels:
        """`count` pictures of none of the classes, drawn or made from at most `material` pictures."""
        rows = rng.permutation(len(self.rows))[:material]
        repainted = self._repainted(rng, rows)
        pictures = augment(rng, repainted) / np.float32(255)
        windowed = repainted[np.char.endswith(self.names[rows], "CT")]
        return negatives.draw(rng, count, negatives.Material(pictures, windowed))

    def _repainted(self, rng: np.random.Generator, rows: Indices) -> Greys:
        return repaint.repaint(rng, self.inputs[self.rows[rows]], self.planes[rows], self.names[rows])
