"""How good a trained bundle is and where it lies, in five lines; and what the trainings keep for later ones."""

import os
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rich.filesize import decimal

from app.model.bundle import CARD, Bundle
from app.model.manifest import Metric
from training.report import REPORT
from training.words import percent, worst_class

ELSEWHERE = {  # what was judged beside the data set, external pictures before companions: mean recall and strangers let in
    "pictures from elsewhere": ("external_mean_recall", "out_accepted"),
    "held-out companions": ("heldout_mean_recall", "heldout_out_accepted"),
}
UNJUDGED = "not measured; there were no companions, and no --external folder"


def lines(published: Bundle, run: Path) -> Iterator[str]:
    """Test accuracy, worst class, elsewhere, the bundle with its card, and the report."""
    metrics = published.manifest.metrics
    accuracy, (name, recall) = metrics["test_accuracy"], worst_class(published.manifest.classes, metrics)
    yield f"test accuracy: {percent(accuracy)} of {accuracy.n:,} pictures, with the 95 % interval"
    yield f"worst class:   {name}, recall {percent(recall)} of {recall.n:,}"
    yield f"elsewhere:     {_elsewhere(metrics)}"
    yield f"bundle:        {published.folder}, its card is {CARD} in it"
    yield f"report:        {run / REPORT}"


def cache(folder: Path) -> str:
    """What lies there and how to clear it."""
    return (
        f"cache:         {decimal(_size(folder))} of downloads, decoded pictures and compiled models in {folder}; "
        f"rm -r {shlex.quote(str(folder))} clears it"
    )


def _elsewhere(metrics: dict[str, Metric]) -> str:
    for where, keys in ELSEWHERE.items():
        recall, strangers = map(metrics.get, keys)
        said = [f"mean recall {percent(recall)} of {recall.n:,} {where}"] if recall else []
        said += [f"strangers let in {percent(strangers)} of {strangers.n:,}"] if strangers else []
        if said:
            return ", ".join(said)
    return UNJUDGED


def _size(folder: Path) -> int:
    """Bytes; another training may be writing there."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(place, name).lstat().st_size
    return total
