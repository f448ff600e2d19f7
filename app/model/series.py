"""What the slices of a series say together: their order, the region of each given its neighbours, and one label.

The most probable sequence of regions is found for all slices at once by dynamic programming (A. Viterbi, IEEE Trans. Inf.
Theory 13, 1967), with one penalty for a change of region. It counts in nats against the logarithms of the slices'
probabilities; that none of the classes is shown is one region more, its probability the `ood_score`. Penalty and rules were
chosen on drawn series, see training/README.md.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from app.imaging import Instance, Place
from app.model.agreement import is_possible
from app.model.classifier import Outputs
from app.model.manifest import Manifest

MIXED = "mixed"  # the label of a series that shows several regions
CHANGE_PENALTY = 1.5  # times √n in n slices: neighbours repeat one another, so many prove less than they count
LEAST_PROBABILITY = 0.01  # of a region in one slice: however sure the model is, one slice is not proof
# Of other regions than its own a series may show less than so much and keep its label. Of two chests scanned down to the kidneys
# 8 and 12 cm, the latter 3 of 8 slices, were taken for abdomen; the chest in a scan of the whole trunk has about 20 cm.
MIXED_FROM_SHARE = 0.4  # of the slices that show a region, all others together
MIXED_FROM_EXTENT = 150.0  # mm of one other region, where places are known
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


def grouped(instances: Iterable[Instance]) -> list[list[int]]:
    """Positions of those that are of one series, for each series in the order of its first; what names none is in none."""
    found: dict[tuple[str, str], list[int]] = {}
    for index, instance in enumerate(instances):
        if instance.series:
            found.setdefault((instance.study, instance.series), []).append(index)
    return [*found.values()]


def commonest(texts: Counter[str]) -> str | None:
    """The text that most slices have, of several the last by name; None where none has any."""
    return max(texts, key=lambda text: (texts[text], text), default=None)


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
    slices: Sequence[Slice],
    answers: Outputs,
    modality: str | None = None,
    at: Sequence[int] | None = None,
    penalty: float = CHANGE_PENALTY,
) -> Verdict:
    """The verdict on slices in order, by the model's `answers` and the modality in the header.

    Where not all have an answer, `at` says which have; the others are as the nearest. What cannot be of its class by its
    modality is none of the classes.
    """
    classes, probabilities, ood_score = manifest.classes, answers.probabilities, answers.ood_score
    strange = np.zeros(len(probabilities)) if ood_score is None else ood_score
    likely = probabilities * (1 - strange)[:, None] * _possible(manifest, modality)
    together = _most_probable(np.column_stack([likely, 1 - likely.sum(axis=1)]), penalty)
    whole = together if at is None else together[_nearest(at, len(slices))]
    names = [*classes, None]
    label = _label(together, whole, slices, names)
    says_so = alone(manifest, answers, modality) == (together if label == MIXED else names.index(label))
    means = dict(zip(classes, probabilities.mean(axis=0).tolist(), strict=True))
    return Verdict(label, float(says_so.mean()), means, _ranges(whole, names))


def alone(manifest: Manifest, answers: Outputs, modality: str | None = None) -> Labels:
    """What each slice shows by itself."""
    best = answers.probabilities.argmax(axis=1)
    is_refused = ~_possible(manifest, modality)[best]
    if answers.ood_score is not None and manifest.ood:
        is_refused |= answers.ood_score > manifest.ood.threshold
    return np.where(is_refused, len(manifest.classes), best)


def _possible(manifest: Manifest, modality: str | None) -> npt.NDArray[np.bool_]:
    """Which classes a picture of this modality can be of, (classes,)."""
    return np.array([is_possible(manifest.dicom, each, modality) for each in manifest.classes])


def _label(together: Labels, whole: Labels, slices: Sequence[Slice], names: list[str | None]) -> str | None:
    """By the slices that have an answer, and by all."""
    none = len(names) - 1
    shown = Counter(together[together != none].tolist())
    if 2 * shown.total() < len(together):
        return None
    region = max(shown, key=lambda each: shown[each])
    extents = _extents(slices)
    is_long = any(extents[whole == other].sum() >= MIXED_FROM_EXTENT for other in shown if other != region)
    is_mixed = is_long or shown.total() - shown[region] >= MIXED_FROM_SHARE * shown.total()
    return MIXED if is_mixed else names[region]


def _extents(slices: Sequence[Slice]) -> npt.NDArray[np.floating]:
    """Millimetres that each slice stands for, (n,); zeros where their places are not known."""
    places = [each.place for each in slices]
    if len(slices) < 2 or not parallel(places):
        return np.zeros(len(slices))
    return np.abs(np.gradient([place.along for place in places if place]))


def _most_probable(probabilities: npt.NDArray[np.floating], penalty: float) -> Labels:
    """The sequence of regions, (n,), for the probability of each in each slice, (n, regions); a change costs √n penalties."""
    scores, penalty = np.log(np.maximum(probabilities, LEAST_PROBABILITY)), penalty * len(probabilities) ** 0.5
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
