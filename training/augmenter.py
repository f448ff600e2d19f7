"""Training pictures shown otherwise, and broken up into negatives."""

import numpy as np

from app.imaging import Pixels
from training import negatives, repaint
from training.augment import augment
from training.batch_random import Greys
from training.datasets import Indices
from training.split import Split

# The class whose background mostly stays: its hearts and shoulders are told from ChestCT's by nothing else, and black
# behind them would teach that a heart on black is an abdomen.
GROUNDED, GROUNDED_SHARE = "AbdomenCT", 0.75


class Augmenter:
    """Some pictures of a split, outlined once, to be changed as often as wanted. Rows count within those pictures."""

    def __init__(self, split: Split, rows: Indices) -> None:
        self.inputs, self.rows = split.pictures.inputs[:, :, :, 0], rows
        names = np.array(split.pictures.classes)[split.pictures.labels[rows]]
        repainted = np.flatnonzero(names == repaint.REPAINTED)
        self.places = np.full(len(rows), -1)  # of a picture that is repainted among the planes
        self.places[repainted] = np.arange(len(repainted))
        self.planes = repaint.outline(self.inputs[rows[repainted]])
        self.grounded = names == GROUNDED

    def augmented(self, rng: np.random.Generator, rows: Indices) -> Pixels:
        """Copies as another scanner, display and position would have made them, (n, side, side)."""
        grounded = self.grounded[rows] & (rng.random(len(rows)) < GROUNDED_SHARE)
        return augment(rng, self._repainted(rng, rows), grounded[:, np.newaxis, np.newaxis])

    def negatives(self, rng: np.random.Generator, count: int, material: int) -> Pixels:
        """`count` pictures of none of the classes, drawn or made from at most `material` pictures."""
        rows = rng.permutation(len(self.rows))[:material]
        return negatives.draw(rng, count, self.augmented(rng, rows) / np.float32(255))

    def _repainted(self, rng: np.random.Generator, rows: Indices) -> Greys:
        pictures, places = self.inputs[self.rows[rows]], self.places[rows]
        greys = pictures / np.float32(255)
        chosen = np.flatnonzero(places >= 0)
        greys[chosen] = repaint.repaint(rng, pictures[chosen], self.planes[places[chosen]])
        return greys
