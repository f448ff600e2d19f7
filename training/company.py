"""Which companions join a batch, and how they are shown this time."""

import numpy as np
import numpy.typing as npt

from app.imaging import Pixels
from training.augment import augment
from training.batch_random import Greys
from training.companions import Companions, rendered
from training.datasets import NO_CLASS, Indices

# How often, and between which centres and widths, a CT of the trunk is shown; in Hounsfield units.
WINDOWS = np.array(
    [
        (0.40, 40, 60, 350, 450),  # soft tissue
        (0.30, -650, -450, 1200, 1700),  # lung
        (0.15, -50, 150, 1500, 2500),  # wide
        (0.15, 300, 500, 1500, 2500),  # bone
    ]
)
HEAD, BRAIN = "HeadCT", np.array([(1.0, 30, 60, 80, 400)])  # the list's hold nothing beyond -30 … 130

Weights = npt.NDArray[np.floating]


class Company:
    """Some companions to draw from: classes alike, and of one its origins (of strangers, kinds) by the root of their size."""

    def __init__(self, companions: Companions, rows: Indices) -> None:
        self.companions, self.rows, self.labels = companions, rows, companions.labels[rows]
        strangers = self.labels == NO_CLASS
        self.weights = _weights(self.labels, np.where(strangers, companions.kinds[rows], companions.origins[rows]))
        self.measured = np.full(len(companions.rows), -1)  # which Hounsfield units are a row's
        self.measured[companions.hounsfield_rows] = np.arange(len(companions.hounsfield_rows))
        self.heads = np.array([row["class"] == HEAD for row in companions.rows])

    def draw(self, rng: np.random.Generator, count: int) -> tuple[Pixels, Indices]:
        """`count` of them, seen otherwise, uint8 (count, side, side), and their labels."""
        chosen = rng.choice(len(self.rows), count, p=self.weights)
        return augment(rng, self._shown(rng, self.rows[chosen])), self.labels[chosen]

    def _shown(self, rng: np.random.Generator, rows: Indices) -> Greys:
        pictures, measured = self.companions.inputs[rows, :, :, 0], self.measured[rows]
        for windows, shown in ((BRAIN, self.heads[rows]), (WINDOWS, ~self.heads[rows])):
            ct = np.flatnonzero((measured >= 0) & shown)
            drawn = windows[rng.choice(len(windows), len(ct), p=windows[:, 0])]
            center, width = (rng.uniform(drawn[:, at], drawn[:, at + 1])[:, None, None] for at in (1, 3))
            pictures[ct] = rendered(self.companions.hounsfield[measured[ct]], center, width)
        return pictures / np.float32(255)


def _weights(labels: Indices, sources: npt.NDArray[np.str_]) -> Weights:
    weights = np.zeros(len(labels))
    for label in np.unique(labels):
        members = labels == label
        _, place, counts = np.unique(sources[members], return_inverse=True, return_counts=True)
        each = 1 / np.sqrt(counts[place])
        weights[members] = each / each.sum()
    return np.asarray(weights / weights.sum())
