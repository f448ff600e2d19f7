"""Shares, calibration and ranking, each with a 95 % interval and the number of pictures behind it."""

from collections.abc import Callable
from math import sqrt

import numpy as np
import numpy.typing as npt

from app.model.classifier import Floats
from app.model.manifest import Metric

Z_95 = 1.959964  # two-sided
RESAMPLES = 500
CONFIDENCE_BINS = 15

Flags = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]


def share(hits: Flags) -> Metric:
    """The share of true values with Wilson's interval (J. Am. Stat. Assoc. 22:209, 1927)."""
    n, p = len(hits), float(np.mean(hits))
    z = Z_95**2 / n
    middle, reach = (p + z / 2) / (1 + z), Z_95 * sqrt(p * (1 - p) / n + z / (4 * n)) / (1 + z)
    return Metric(value=p, low=min(p, max(0.0, middle - reach)), high=max(p, min(1.0, middle + reach)), n=n)


def bootstrapped(figure: Callable[..., float], *sizes: int) -> Metric:
    """`figure` of positions in groups of these sizes, with a percentile interval; groups are resampled separately."""
    rng = np.random.default_rng(0)
    again = [figure(*(rng.integers(0, size, size) for size in sizes)) for _ in range(RESAMPLES)]
    low, high = np.quantile(again, [0.025, 0.975])
    return Metric(value=figure(*map(np.arange, sizes)), low=float(low), high=float(high), n=sum(sizes))


def mean(values: Floats) -> Metric:
    return bootstrapped(lambda rows: float(values[rows].mean()), len(values))


def mean_share(groups: list[Flags]) -> Metric:
    """The mean of the groups' shares, each group counting alike whatever its size."""
    return bootstrapped(
        lambda *chosen: float(np.mean([np.mean(hits[rows]) for hits, rows in zip(groups, chosen, strict=True)])),
        *map(len, groups),
    )


def calibration_error(confidence: Floats, right: Flags) -> Metric:
    """Expected calibration error over equal bins of the confidence (Guo et al., ICML 2017)."""
    bins = np.minimum((confidence * CONFIDENCE_BINS).astype(int), CONFIDENCE_BINS - 1)

    def error(rows: Indices) -> float:
        gap = right[rows].astype(float) - confidence[rows]
        return float(np.abs(np.bincount(bins[rows], gap, CONFIDENCE_BINS)).sum() / len(rows))

    return bootstrapped(error, len(confidence))


def auroc(inside: Floats, outside: Floats) -> Metric:
    """The chance that a stranger scores higher than one of the classes; a tie counts half."""

    def area(one: Indices, other: Indices) -> float:
        ordered, scores = np.sort(inside[one]), outside[other]
        below, upto = np.searchsorted(ordered, scores, "left"), np.searchsorted(ordered, scores, "right")
        return float(np.mean((below + upto) / 2) / len(ordered))

    return bootstrapped(area, len(inside), len(outside))


def equal_error(inside: Floats, outside: Floats) -> float:
    """The score above which as large a share of the inside lies as of the outside lies at or below it."""
    scores = np.sort(np.concatenate([inside, outside]))
    above = 1 - np.searchsorted(np.sort(inside), scores, "right") / len(inside)
    below = np.searchsorted(np.sort(outside), scores, "right") / len(outside)
    return float(scores[np.argmin(np.abs(above - below))])
