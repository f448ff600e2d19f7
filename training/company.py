"""Which pictures from elsewhere, companions and the user's own, join a batch, and how they are shown this time."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from app.imaging import Pixels
from training.augment import augment
from training.batch_random import BatchRandom, Greys, Mask
from training.companions import Companions
from training.datasets import Indices, Pictures
from training.decoding import SHRINKING, Hounsfield, rendered
from training.split import SIDE

# How often, and between which centres and widths, a CT of the trunk is shown; in Hounsfield units.
WINDOWS = np.array(
    [
        (0.30, 30, 70, 300, 450),  # soft tissue
        (0.25, 20, 150, 120, 300),  # vessels; fat is as black as lung
        (0.25, -700, -400, 1000, 1800),  # lung
        (0.10, -100, 200, 1000, 2500),  # wide
        (0.10, 250, 500, 1000, 2500),  # bone
    ]
)
NARROWED_SHARE = 0.3  # of all: as if through a narrower window, greys cut off at both ends
HEAD, BRAIN = "HeadCT", np.array([(1.0, 30, 60, 80, 400)])  # the list's hold nothing beyond -30 … 130

Weights = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Company:
    """n pictures to draw from: classes alike, and of one its origins (of strangers, kinds) by the root of their size."""

    pictures: Pixels  # (n, 64, 64)
    labels: Indices  # (n,) positions in the classes, or NO_CLASS
    sources: npt.NDArray[np.str_]  # (n,) origins, of strangers kinds
    measured: Indices  # (m,) which of the n are in Hounsfield units …
    hounsfield: Hounsfield  # (m, 256, 256) … and these
    heads: Mask  # (m,) shown through brain windows

    def __add__(self, other: "Company") -> "Company":
        """Both, `other` behind."""
        names = ("pictures", "labels", "sources", "hounsfield", "heads")
        joined = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in names}
        return Company(measured=np.concatenate([self.measured, len(self.labels) + other.measured]), **joined)

    def draw(self, rng: np.random.Generator, count: int) -> tuple[Pixels, Indices]:
        """`count` of them, seen otherwise, uint8 (count, side, side), and their labels; none if there are none."""
        if not len(self.labels):
            return self.pictures, self.labels
        chosen = rng.choice(len(self.labels), count, p=self.weights)
        return augment(rng, _narrowed(BatchRandom(rng, count), self._shown(rng, chosen))), self.labels[chosen]

    def _shown(self, rng: np.random.Generator, rows: Indices) -> Greys:
        pictures, places = self.pictures[rows], self._places[rows]
        for windows, through in ((BRAIN, self.heads), (WINDOWS, ~self.heads)):
            ct = np.flatnonzero(np.append(through, False)[places])  # -1 finds the last
            drawn = windows[rng.choice(len(windows), len(ct), p=windows[:, 0])]
            center, width = (rng.uniform(drawn[:, at], drawn[:, at + 1])[:, None, None] for at in (1, 3))
            pictures[ct] = rendered(self.hounsfield[places[ct]], center, width)
        return pictures / np.float32(255)

    @cached_property
    def _places(self) -> Indices:
        """(n,) where in `hounsfield` each is, or -1."""
        places = np.full(len(self.labels), -1)
        places[self.measured] = np.arange(len(self.measured))
        return places

    @cached_property
    def weights(self) -> Weights:
        """(n,) how likely each is to be drawn."""
        weights = np.zeros(len(self.labels))
        for label in np.unique(self.labels):
            members = self.labels == label
            _, place, counts = np.unique(self.sources[members], return_inverse=True, return_counts=True)
            each = 1 / np.sqrt(counts[place])
            weights[members] = each / each.sum()
        return np.asarray(weights / weights.sum())


def _narrowed(rng: BatchRandom, pictures: Greys) -> Greys:
    low, high = rng.uniform(0, 0.4), rng.uniform(0.5, 1)
    narrowed = np.clip((pictures - low) / (high - low), 0, 1)
    gains = narrowed.std((1, 2), keepdims=True) > pictures.std((1, 2), keepdims=True)  # and does not lose the picture
    return np.where(rng.chance(NARROWED_SHARE) & gains, narrowed, pictures)


def of_companions(companions: Companions, strangers: bool) -> Company:
    """Those to learn from, of the classes or of none."""
    rows = companions.learned(strangers)
    sources = (companions.kinds if strangers else companions.origins)[rows]
    _, measured, among = np.intersect1d(rows, companions.hounsfield_rows, return_indices=True)
    heads = np.array([companions.rows[row]["class"] == HEAD for row in rows[measured]], bool)
    pictures = companions.inputs[rows, :, :, 0]
    return Company(pictures, companions.labels[rows], sources, measured, companions.hounsfield[among], heads)


def of_extra(pictures: Pictures, rows: Indices) -> Company:
    """The user's own in these rows, as the network sees them: through one window, whatever they are."""
    nothing, units = np.zeros(0, np.intp), np.zeros((0, SHRINKING * SIDE, SHRINKING * SIDE), np.int16)
    shown = pictures.inputs[rows, :, :, 0]
    return Company(shown, pictures.labels[rows], pictures.origins[rows], nothing, units, nothing.astype(bool))
