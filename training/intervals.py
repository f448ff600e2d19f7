"""Shares, calibration and ranking, each with a 95 % interval and the number of pictures behind it."""

from collections.abc import Callable, Iterator
from math import sqrt

import numpy as np
import numpy.typing as npt

from app.model.classifier import Floats
from app.model.manifest import Metric

Z_95 = 1.959964  # two-sided
RESAMPLES = 500
CONFIDENCE_BINS = 15
MIN_ORIGINS = 5  # behind an interval over origins; fewer do not tell how the next would fare

Flags = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]
Origins = npt.NDArray[np.str_]  # (n,) where each picture was made; pictures of one are alike


def share(hits: Flags, origins: Origins | None = None) -> Metric:
    """The share of true values with Wilson's interval (J. Am. Stat. Assoc. 22:209, 1927).

    Over MIN_ORIGINS or more it is as wide as the bootstrap's at least, which alone is nothing where all are true.
    """
    n, p = len(hits), float(np.mean(hits))
    z = Z_95**2 / n
    middle, reach = (p + z / 2) / (1 + z), Z_95 * sqrt(p * (1 - p) / n + z / (4 * n)) / (1 + z)
    found = Metric(value=p, low=min(p, max(0.0, middle - reach)), high=max(p, min(1.0, middle + reach)), n=n)
    if origins is None or len(np.unique(origins)) < MIN_ORIGINS:
        return found
    drawn = bootstrapped(lambda rows: float(hits[rows].mean()), origins)
    return drawn.model_copy(update={"low": min(found.low, drawn.low), "high": max(found.high, drawn.high)})


def bootstrapped(figure: Callable[..., float], *groups: Origins) -> Metric:
    """`figure` of positions in each group of pictures, with a percentile interval; groups are resampled separately.

    Whole origins are drawn where every group has MIN_ORIGINS or more, else pictures.
    """
    rng = np.random.default_rng(0)
    members = [[np.flatnonzero(origins == one) for one in np.unique(origins)] for origins in groups]
    whole = min(map(len, members)) >= MIN_ORIGINS

    def drawn() -> Iterator[Indices]:
        for size, rows in zip(map(len, groups), members, strict=True):
            if whole:
                yield np.concatenate([rows[at] for at in rng.integers(0, len(rows), len(rows))])
            else:
                yield rng.integers(0, size, size)

    low, high = np.quantile([figure(*drawn()) for _ in range(RESAMPLES)], [0.025, 0.975])
    value = figure(*(np.arange(len(origins)) for origins in groups))
    return Metric(
        value=value,
        low=min(value, float(low)),  # of few pictures, the error of calibration is mostly larger when drawn again
        high=max(value, float(high)),
        n=sum(map(len, groups)),
        origins=len(np.unique(np.concatenate(groups))) if whole else None,
    )


def mean(values: Floats) -> Metric:
    return bootstrapped(lambda rows: float(values[rows].mean()), _known(None, len(values)))


def mean_recall(right: Flags, labels: Indices, origins: Origins | None = None) -> Metric:
    """The mean of the classes' shares, each class that was drawn counting alike whatever its size."""

    def recall(rows: Indices) -> float:
        counts, hits = np.bincount(labels[rows]), np.bincount(labels[rows], right[rows])
        return float(np.mean(hits[counts > 0] / counts[counts > 0]))

    return bootstrapped(recall, _known(origins, len(right)))


def calibration_error(confidence: Floats, right: Flags, origins: Origins | None = None) -> Metric:
    """Expected calibration error over equal bins of the confidence (Guo et al., ICML 2017)."""
    bins = np.minimum((confidence * CONFIDENCE_BINS).astype(int), CONFIDENCE_BINS - 1)

    def error(rows: Indices) -> float:
        gap = right[rows].astype(float) - confidence[rows]
        return float(np.abs(np.bincount(bins[rows], gap, CONFIDENCE_BINS)).sum() / len(rows))

    return bootstrapped(error, _known(origins, len(confidence)))


def auroc(
    inside: Floats, outside: Floats, inside_origins: Origins | None = None, outside_origins: Origins | None = None
) -> Metric:
    """The chance that a stranger scores higher than one of the classes; a tie counts half."""

    def area(one: Indices, other: Indices) -> float:
        ordered, scores = np.sort(inside[one]), outside[other]
        below, upto = np.searchsorted(ordered, scores, "left"), np.searchsorted(ordered, scores, "right")
        return float(np.mean((below + upto) / 2) / len(ordered))

    return bootstrapped(area, _known(inside_origins, len(inside)), _known(outside_origins, len(outside)))


def _known(origins: Origins | None, count: int) -> Origins:
    """The same, or one of no name."""
    return np.full(count, "") if origins is None else origins


def equal_error(inside: Floats, outside: Floats) -> float:
    """The score above which as large a share of the inside lies as of the outside lies at or below it."""
    scores = np.sort(np.concatenate([inside, outside]))
    above = 1 - np.searchsorted(np.sort(inside), scores, "right") / len(inside)
    below = np.searchsorted(np.sort(outside), scores, "right") / len(outside)
    return float(scores[np.argmin(np.abs(above - below))])
