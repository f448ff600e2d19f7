"""Series whose regions are known, drawn from a bundle's answers for held-out companions.

Each region is of one origin, whose pictures look and fail alike. A picture stands for a run of neighbours; noise sets
origins and slices further apart.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit, softmax

from app.model.classifier import Floats, Outputs, joined
from training import DataError
from training.datasets import NO_CLASS
from training.figures import Elsewhere, Names
from training.folders import NONE

ONE_REGION, STRANGERS, SEVERAL = "one region", "strangers", "several"
SEQUENCES = (  # head first or feet first
    *((ONE_REGION, [name]) for name in ("HeadCT", "ChestCT", "AbdomenCT")),
    *((STRANGERS, [NONE]),) * 3,  # as many as of one region
    (SEVERAL, ["ChestCT", "AbdomenCT"]),
    (SEVERAL, ["AbdomenCT", "ChestCT"]),
    (SEVERAL, ["ChestCT", "AbdomenCT", NONE]),
    (SEVERAL, ["HeadCT", NONE, "ChestCT"]),
    (SEVERAL, ["HeadCT", NONE, "ChestCT", "AbdomenCT"]),
    (SEVERAL, [NONE, "AbdomenCT", "ChestCT", NONE, "HeadCT"]),
)
SERIES_OF_EACH = 50
SLICES, UNEVEN = (30, 300), (0.5, 1.5)  # of a region: drawn for the series, times a factor of the region's own
PICTURES_A_REGION = 16  # however thin its slices are: what one shows goes on for a centimetre or two
ORIGIN_NOISE, SLICE_NOISE = 1.0, 0.7  # standard deviations, in logits; held-out origins of a class are 1 to 2 apart
GAP_SHARE, MAX_GAP = 0.3, 0.1  # of the series have one; of a series' slices
LEAST_PROBABILITY = 1e-6  # logits of none are taken


class Drawn(NamedTuple):
    """A series of n slices."""

    kind: str
    answers: Outputs
    truth: Names  # (n,) classes, or "none"


def draw(classes: list[str], held_out: Elsewhere, seed: int, each: int = SERIES_OF_EACH) -> list[Drawn]:
    """`each` of every sequence. Raises DataError where no held-out companion shows one of its regions."""
    rng = np.random.default_rng(seed)
    return [_draw(*sequence, classes, held_out, rng) for sequence in SEQUENCES for _ in range(each)]


def _draw(kind: str, sequence: list[str], classes: list[str], held_out: Elsewhere, rng: np.random.Generator) -> Drawn:
    counts = (np.exp(rng.uniform(*np.log(SLICES))) * rng.uniform(*UNEVEN, len(sequence))).astype(int)
    answers = joined([_region(*part, classes, held_out, rng) for part in zip(sequence, counts, strict=True)])
    kept = np.arange(counts.sum())
    if rng.random() < GAP_SHARE:
        first, missing = rng.integers(len(kept)), round(rng.uniform(0, MAX_GAP) * len(kept))
        kept = np.delete(kept, slice(first, first + missing))
    return Drawn(kind, answers[kept], np.repeat(sequence, counts)[kept])


def _region(name: str, count: int, classes: list[str], held_out: Elsewhere, rng: np.random.Generator) -> Outputs:
    """Answers for its slices."""
    label = classes.index(name) if name in classes else NO_CLASS
    of_region = held_out.pictures.labels == label
    if not of_region.any():
        raise DataError(f"No series can be drawn: there is no held-out companion of {name}.")
    origin = rng.choice(np.unique(held_out.pictures.sources[of_region]))
    pictures = rng.choice(np.flatnonzero(of_region & (held_out.pictures.sources == origin)), PICTURES_A_REGION)
    shown = pictures[np.sort(rng.integers(PICTURES_A_REGION, size=count))]
    return held_out.scores.answers[shown].each(partial(_noisy, rng))


def _noisy(rng: np.random.Generator, part: Floats) -> Floats:
    """Probabilities of the classes, (n, classes), or `ood_score`, (n,), with noise on their logits."""
    noise = rng.normal(0, ORIGIN_NOISE, part.shape[1:]) + rng.normal(0, SLICE_NOISE, part.shape)
    sure = np.clip(part, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    noisy = expit(logit(sure) + noise) if part.ndim == 1 else softmax(np.log(sure) + noise, axis=1)
    return np.asarray(noisy, np.float32)
