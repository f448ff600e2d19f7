"""Bundles side by side: each judged on the test split its own manifest names."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

from app.imaging import View
from app.model import bundle, checkpoint
from app.model.bundle import Bundle, BundleError
from app.model.classifier import Classifier
from training import DataError, charts, montage, report, split
from training.companions import Companions
from training.datasets import Pictures
from training.evaluate import Evaluation, evaluate, forward_milliseconds, judged
from training.external import held_out, read
from training.figures import Elsewhere
from training.publish import CHARTS, LISTING
from training.split import Split

ARTICLE = "article"  # the preset that others are held against

Gather = Callable[[View], Pictures]  # as a model sees them
Choose = Callable[[list[str]], Companions | None]  # of these classes
Say = Callable[[str], None]


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
    artifacts: Path,
    version: str,
    pictures: Gather,
    choose: Choose,
    external: Path | None,
    out: Path,
    cache: Path,
    say: Say,
) -> list[Judged]:
    """The chosen bundle, and one of preset article if it can be judged on the same pictures; charts and a report of each go to `out`.

    Both are compiled in `cache`.
    """
    chosen = bundle.find(artifacts, version)
    judge = partial(
        _judge, pictures=pictures, companions=choose(chosen.manifest.classes), external=external, out=out, cache=cache
    )
    return [judge(chosen), *_of_article(chosen, artifacts, judge, say)]


def on_companions(artifacts: Path, version: str, choose: Choose, cache: Path) -> tuple[Bundle, Elsewhere]:
    """The chosen bundle, compiled in `cache`, and its answers for held-out companions. Raises DataError without any."""
    chosen = bundle.find(artifacts, version)
    if not (beside := choose(chosen.manifest.classes)):
        raise DataError("Series are drawn from held-out companions, and there are none.")
    chosen = checkpoint.compiled(chosen, cache)
    return chosen, judged(classifier := Classifier(chosen), held_out(beside, classifier.view))


def _of_article(chosen: Bundle, artifacts: Path, judge: Callable[[Bundle], Judged], say: Say) -> list[Judged]:
    """The newest one that fits, or else none, and the reason is said."""
    reasons = []
    for other in reversed(bundle.available(artifacts)):
        if other.manifest.training.get("preset") != ARTICLE or other.title == chosen.title:
            continue
        if other.manifest.classes != chosen.manifest.classes:
            reasons.append(f"{other.title} tells other classes apart")
            continue
        try:
            return [judge(bundle.read(other.folder))]
        except DataError:
            reasons.append(f"{other.title} was trained on other pictures")
        except BundleError as error:
            reasons.append(str(error).rstrip("."))
    say(f"no comparison: {reasons[0] if reasons else f'there is no other bundle of preset {ARTICLE}'}")
    return []


def _judge(
    chosen: Bundle, pictures: Gather, companions: Companions | None, external: Path | None, out: Path, cache: Path
) -> Judged:
    manifest = chosen.manifest
    parts = _split(chosen, pictures)
    elsewhere = read(external, manifest.classes, manifest.input.view) if external else None
    beside = companions if companions and companions.classes == manifest.classes else None
    chosen = checkpoint.compiled(chosen, cache)
    found = evaluate(Classifier(chosen), parts, beside, elsewhere)
    judged = Judged(chosen, found, forward_milliseconds(chosen))
    folder = out / chosen.title
    charts.charts(found, manifest.classes, folder / CHARTS)
    montage.mistakes(found, parts, folder)
    report.write(folder, replace(chosen, manifest=manifest.model_copy(update={"metrics": found.metrics})), parts)
    figures = {name: metric.model_dump() for name, metric in found.metrics.items()}
    cost = {"parameters": manifest.training["parameters"], "forward_milliseconds": judged.milliseconds}
    (out / f"{chosen.title}.json").write_text(json.dumps(figures | cost, indent=1))
    return judged


def _split(chosen: Bundle, pictures: Gather) -> Split:
    """The one that the bundle's own manifest names. Raises DataError where one of its pictures is missing or differs."""
    manifest = chosen.manifest
    if LISTING not in manifest.files:
        raise DataError(f"{chosen.title} does not list the pictures that it was trained on.")
    listing = gzip.decompress(chosen.path(LISTING).read_bytes()).decode()
    parts = split.restore(pictures(manifest.input.view), listing, chosen.title)
    return replace(parts, seed=cast(int, manifest.training["seed"]))
