"""What the slices of a series say together: their order, the region of each given its neighbours, and one label.

The most probable sequence of regions is found for all slices at once by dynamic programming (A. Viterbi, IEEE Trans. Inf.
Theory 13, 1967), with one penalty for a change of region. It counts in nats against the logarithms of the slices'
probabilities; that none of the classes is shown is one region more, its probability the `ood_score`.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from app.imaging import Place
from app.model.classifier import Outputs
from app.model.manifest import Manifest

MIXED = "mixed"  # the label of a series that shows several regions
CHANGE_PENALTY = 12.0  # chosen on drawn series, see training/README.md
LEAST_PROBABILITY = 0.01  # of a region in one slice: however sure the model is, one slice is not proof
MOST_SHARE_OF_OTHERS = 1 / 3  # of the slices that show a region: a chest reaches into the abdomen, and stays a chest
PARALLEL = 0.99  # least cosine between the normals of slices that are ordered by position

Labels = npt.NDArray[np.intp]  # (slices,) positions among the classes, behind them that of none


class Slice(NamedTuple):
    """What orders a slice among others; None for what its file does not say."""

    name: str  # of the file
    number: int | None = None  # InstanceNumber
    frame: int = 0  # in the file
    place: Place | None = None


class Range(NamedTuple):
    """Neighbouring slices of one region, counted from 1; the label is None where it is none of the classes."""

    first: int
    last: int
    label: str | None

    def __str__(self) -> str:
        slices = f"{self.first}–{self.last}" if self.last > self.first else str(self.first)
        return f"{slices} {self.label or 'none'}"


class Verdict(NamedTuple):
    """What a series shows."""

    label: str | None  # a class, MIXED, or None for none of the classes
    share: float  # of the slices that say so by themselves: the label, that of their range if mixed, or a refusal
    probabilities: dict[str, float]  # means over the slices
    ranges: list[Range]


def order(slices: Sequence[Slice]) -> list[int]:
    """Positions of the slices from first to last: along their normal, else by number, else by name.

    Whatever not all slices have orders none of them, nor do their places where they are not parallel.
    """
    keys: list[tuple[object, ...]] = [(_natural(each.name), each.name, each.frame) for each in slices]
    if all(each.number is not None for each in slices):
        keys = [(each.number, each.frame, *key) for each, key in zip(slices, keys, strict=True)]
    if parallel([each.place for each in slices]):
        keys = [(round(each.place.along, 3), *key) for each, key in zip(slices, keys, strict=True) if each.place]
    return sorted(range(len(keys)), key=keys.__getitem__)


def parallel(places: Sequence[Place | None]) -> bool:
    """Whether all slices have a place, and planes that are parallel."""
    known = [place.normal for place in places if place]
    return len(known) == len(places) > 0 and bool((np.array(known) @ known[0] > PARALLEL).all())


def spread(count: int, of: int) -> list[int]:
    """Positions of `count` slices that stand for all `of`, each in the middle of its share; all where there are fewer."""
    return sorted({(2 * index + 1) * of // (2 * count) for index in range(count)})


def judge(
    manifest: Manifest,
    answers: Outputs,
    at: Sequence[int] | None = None,
    count: int = 0,
    penalty: float = CHANGE_PENALTY,
) -> Verdict:
    """The verdict on n slices in order, of which the model gave these `answers`.

    Where they stand for a series of `count`, `at` says for each which of it it is; those between are as the nearest.
    """
    classes, probabilities, ood_score = manifest.classes, answers.probabilities, answers.ood_score
    threshold = manifest.ood.threshold if manifest.ood else 1.0
    strange = np.zeros(len(probabilities)) if ood_score is None else ood_score
    alone = np.where(strange > threshold, len(classes), probabilities.argmax(axis=1))
    together = _most_probable(np.column_stack([probabilities * (1 - strange)[:, None], strange]), penalty)
    names = [*classes, None]
    label, says_so = _label(together, alone, names)
    means = dict(zip(classes, probabilities.mean(axis=0).tolist(), strict=True))
    whole = together if at is None else together[_nearest(at, count)]
    return Verdict(label, float(says_so.mean()), means, _ranges(whole, names))


def _label(together: Labels, alone: Labels, names: list[str | None]) -> tuple[str | None, npt.NDArray[np.bool_]]:
    """The label, and which slices say so by themselves."""
    none = len(names) - 1
    shown = Counter(together[together != none].tolist())
    if 2 * shown.total() < len(together):
        return None, alone == none
    region, count = max(shown.items(), key=lambda item: item[1])
    if shown.total() - count >= MOST_SHARE_OF_OTHERS * shown.total():
        return MIXED, alone == together
    return names[region], alone == region


def _most_probable(probabilities: npt.NDArray[np.floating], penalty: float) -> Labels:
    """The sequence of regions, (n,), for the probability of each in each slice, (n, regions)."""
    scores = np.log(np.maximum(probabilities, LEAST_PROBABILITY))
    best, before = scores[0], np.zeros(scores.shape, np.intp)
    for index, score in enumerate(scores[1:], start=1):
        leading = best.argmax()
        stays = best >= best[leading] - penalty
        before[index] = np.where(stays, np.arange(len(best)), leading)
        best = np.where(stays, best, best[leading] - penalty) + score
    sequence = np.empty(len(scores), np.intp)
    sequence[-1] = best.argmax()
    for index in range(len(scores) - 1, 0, -1):
        sequence[index - 1] = before[index, sequence[index]]
    return sequence


def _ranges(together: Labels, names: list[str | None]) -> list[Range]:
    ranges: list[Range] = []
    for region, slices in groupby(together.tolist()):
        first = ranges[-1].last + 1 if ranges else 1
        ranges.append(Range(first, first + len([*slices]) - 1, names[region]))
    return ranges


def _nearest(at: Sequence[int], count: int) -> Labels:
    """For each of `count` slices which of those `at` is nearest, (count,)."""
    places = np.array(at)
    return np.searchsorted((places[1:] + places[:-1]) / 2, np.arange(count))


def _natural(name: str) -> list[tuple[int, str]]:
    """As people order names: IM2 comes before IM10."""
    return [(len(part) if part.isdecimal() else 0, part) for part in re.split(r"0*([0-9]+)", name)]
