"""Bundles side by side: each judged on the test split its own manifest names."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from rich.table import Table

from app.imaging import View
from app.model import bundle, checkpoint
from app.model.bundle import Bundle
from app.model.classifier import Classifier
from app.model.manifest import Metric
from training import report, split
from training.card import counted, percent
from training.companions import Companions
from training.datasets import Pictures
from training.evaluate import Evaluation, evaluate, forward_milliseconds
from training.external import read
from training.publish import LISTING

ARTICLE = "article"  # the preset that others are held against

Gather = Callable[[View], Pictures]  # as a model sees them
Choose = Callable[[list[str]], Companions | None]  # of these classes


@dataclass(frozen=True)
class Judged:
    """A bundle, what was found, and what a forward pass costs on one core."""

    bundle: Bundle
    found: Evaluation
    milliseconds: dict[int, float]  # by pictures a pass

    @property
    def preset(self) -> str:
        return str(self.bundle.manifest.training["preset"])


def beside_article(
    artifacts: Path, version: str, pictures: Gather, choose: Choose, external: Path | None, out: Path, cache: Path
) -> list[Judged]:
    """The chosen bundle and the newest of preset article, if another; compiled in `cache`, figures and charts in `out`."""
    chosen = bundle.find(artifacts, version)
    of_article = [one for one in bundle.available(artifacts) if one.manifest.training.get("preset") == ARTICLE]
    both = [chosen] + [one for one in of_article[-1:] if one.title != chosen.title]
    companions = choose(chosen.manifest.classes)
    return [_judge(checkpoint.compiled(one, cache), pictures, companions, external, out) for one in both]


def _judge(chosen: Bundle, pictures: Gather, companions: Companions | None, external: Path | None, out: Path) -> Judged:
    manifest = chosen.manifest
    parts = split.restore(pictures(manifest.input.view), gzip.decompress(chosen.path(LISTING).read_bytes()).decode())
    parts = replace(parts, seed=cast(int, manifest.training["seed"]))
    elsewhere = read(external, manifest.classes, manifest.input.view) if external else None
    beside = companions if companions and companions.classes == manifest.classes else None
    found = evaluate(Classifier(chosen), parts, beside, elsewhere)
    judged = Judged(chosen, found, forward_milliseconds(chosen))
    report.charts(found, manifest.classes, out / chosen.title)
    report.mistakes(found, parts, out / chosen.title)
    figures = {name: metric.model_dump() for name, metric in found.metrics.items()}
    cost = {"parameters": manifest.training["parameters"], "forward_milliseconds": judged.milliseconds}
    (out / f"{chosen.title}.json").write_text(json.dumps(figures | cost, indent=1))
    return judged


def table(judged: list[Judged]) -> Table:
    """A row a figure, a column a bundle."""
    shown = Table("figure", *(f"{one.preset}\n{one.bundle.title}" for one in judged), "pictures")
    for name in judged[0].found.metrics:
        metrics = [one.found.metrics.get(name) for one in judged]
        shown.add_row(name, *map(_cell, metrics), counted(judged[0].found.metrics[name]))
    shown.add_row("parameters", *(f"{one.bundle.manifest.training['parameters']:,}" for one in judged), "")
    for count in judged[0].milliseconds:
        shown.add_row(f"ms for {count} on one core", *(f"{one.milliseconds[count]:.2f}" for one in judged), "")
    return shown


def corruptions_table(judged: list[Judged]) -> Table:
    """A row a change: the share right with its interval, and each class's recall."""
    shown = Table("change", *(heading for one in judged for heading in (one.preset, "by class")))
    classes = judged[0].bundle.manifest.classes
    for name in judged[0].found.corrupted:
        cells = []
        for one in judged:
            scores = one.found.corrupted[name]
            recalls = [np.mean(scores.right[scores.labels == index]) for index in range(len(classes))]
            cells += [_cell(one.found.metrics[f"changed_{name}"]), " ".join(f"{recall:.0%}" for recall in recalls)]
        shown.add_row(name, *cells)
    for name in ("changed_mean", "changed_worst"):
        shown.add_row(name, *(cell for one in judged for cell in (_cell(one.found.metrics[name]), "")))
    return shown


def _cell(metric: Metric | None) -> str:
    return percent(metric) if metric else "–"
