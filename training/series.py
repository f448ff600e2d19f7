"""How well drawn series are divided into regions, and what they are called if only some of their slices are judged."""

from collections.abc import Iterable, Iterator
from operator import eq
from typing import NamedTuple

import numpy as np
from rich.table import Table

from app.model.classifier import Outputs
from app.model.manifest import Manifest
from app.model.series import CHANGE_PENALTY, Slice, Verdict, alone, judge, spread
from training.datasets import Indices
from training.drawn_series import ONE_REGION, SEVERAL, STRANGERS, Drawn
from training.figures import Names
from training.folders import NONE
from training.tables import titled

KINDS = (ONE_REGION, STRANGERS, SEVERAL)
SAMPLES = (16, 8, 3)  # slices judged in place of all


class Penalty(NamedTuple):
    """What a change of region costs in a series of n slices, in nats."""

    nats: float
    rooted: bool = False  # times √n

    def __str__(self) -> str:
        return f"{self.nats:g} √n" if self.rooted else f"{self.nats:g}"

    def verdict(self, manifest: Manifest, answers: Outputs, slices: int | None = None) -> Verdict:
        """On so many of the slices, or on all."""
        count = len(answers.probabilities)
        at = spread(slices or count, count)
        penalty = self.nats if self.rooted else self.nats / len(at) ** 0.5
        return judge(manifest, [Slice("")] * count, answers[np.array(at)], at=at, penalty=penalty)


CONSTANT, CHOSEN, DEARER = Penalty(12), Penalty(CHANGE_PENALTY, rooted=True), Penalty(2, rooted=True)
PENALTIES = (Penalty(4), Penalty(8), CONSTANT, Penalty(16), Penalty(24), Penalty(1, rooted=True), CHOSEN, DEARER)


def tables(manifest: Manifest, drawn: list[Drawn]) -> Iterator[Table]:
    """Two: a row a way to divide them; a row a penalty and a number of slices."""
    yield _divided(manifest, drawn)
    yield _labelled(manifest, drawn)


def _divided(manifest: Manifest, drawn: list[Drawn]) -> Table:
    heads = ("divided by", "slices", *KINDS, "boundaries", "off by", "9 of 10")
    table = _table("Drawn series: slices and sequences of regions that are right; boundaries, off by slices", heads)
    for name, found in _divisions(manifest, drawn):
        pairs = [(series.truth, regions) for series, regions in zip(drawn, found, strict=True)]
        slices = np.mean([np.mean(truth == regions) for truth, regions in pairs])
        sequences = [_sequence(truth) == _sequence(regions) for truth, regions in pairs]
        off = [distance for pair in pairs for distance in _distances(*pair)]
        boundaries = sum(len(_bounds(regions)) for regions in found)
        cells = f"{boundaries:,}", f"{np.mean(off):.2f}", f"{np.quantile(off, 0.9):.0f}"
        table.add_row(name, f"{slices:.1%}", *_shares(drawn, sequences), *cells)
    return table


def _divisions(manifest: Manifest, drawn: list[Drawn]) -> Iterator[tuple[str, list[Names]]]:
    """Ways to divide, and the region that each gives every slice, by series."""
    yield "truth", [series.truth for series in drawn]
    yield "slices alone", (separate := [_alone(manifest, series.answers) for series in drawn])
    yield "majority", [np.full(len(regions), max(regions, key=regions.tolist().count)) for regions in separate]
    for penalty in PENALTIES:
        verdicts = (penalty.verdict(manifest, series.answers) for series in drawn)
        yield f"penalty {penalty}", [_regions(verdict) for verdict in verdicts]


def _labelled(manifest: Manifest, drawn: list[Drawn]) -> Table:
    table = _table("Drawn series: labels that are right (that all slices give)", ("penalty", "slices", *KINDS))
    true = [_true_label(manifest, series.truth) for series in drawn]
    for penalty in (CONSTANT, CHOSEN, DEARER):
        of_all = [penalty.verdict(manifest, series.answers).label for series in drawn]
        for count in (None, *SAMPLES):
            labels = [penalty.verdict(manifest, series.answers, count).label for series in drawn]
            cells = zip(*(_shares(drawn, map(eq, labels, others)) for others in (true, of_all)), strict=True)
            table.add_row(str(penalty), str(count or "all"), *(f"{right} ({same})" for right, same in cells))
    return table


def _table(title: str, heads: tuple[str, ...]) -> Table:
    table = titled(title)
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    return table


def _shares(drawn: list[Drawn], right: Iterable[bool]) -> list[str]:
    """By kind of series."""
    kinds, hits = np.array([series.kind for series in drawn]), np.array([*right])
    return [f"{np.mean(hits[kinds == kind]):.1%}" for kind in KINDS]


def _alone(manifest: Manifest, answers: Outputs) -> Names:
    return np.asarray(np.array([*manifest.classes, NONE])[alone(manifest, answers)])


def _regions(verdict: Verdict) -> Names:
    return np.concatenate([np.full(found.last - found.first + 1, found.label or NONE) for found in verdict.ranges])


def _true_label(manifest: Manifest, truth: Names) -> str | None:
    """What the rules for a label make of the true regions."""
    sure = Outputs((truth[:, np.newaxis] == manifest.classes).astype(np.float32), (truth == NONE).astype(np.float32))
    return judge(manifest, [Slice("")] * len(truth), sure, penalty=0).label


def _bounds(regions: Names) -> Indices:
    """The last slice of each region but the last."""
    return np.flatnonzero(regions[1:] != regions[:-1])


def _sequence(regions: Names) -> list[str]:
    return [str(regions[0]), *regions[1:][_bounds(regions)].tolist()]


def _distances(truth: Names, regions: Names) -> Iterator[int]:
    """In slices, of each true boundary from the nearest that was found; where there is none, as long as the series."""
    found = _bounds(regions)
    return (int(np.abs(found - bound).min(initial=len(truth))) for bound in _bounds(truth))
