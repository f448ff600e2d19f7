"""Charts of a training, and of what its bundle was measured to do; they travel with the bundle and show no patient."""

from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from app.model.manifest import Metric
from training import ood_charts, plotting
from training.evaluate import Evaluation
from training.figures import Metrics, Scores
from training.intervals import CONFIDENCE_BINS
from training.plotting import elsewhere, figure, save, short
from training.recipes.recipe import History
from training.split import Split
from training.words import CHANGES

Columns = dict[str, list[Metric | None]]  # by what the figures are

MAX_SHARES = 10  # classes of which a cell of the confusion matrix has room for counts and shares


def curves(history: History, kept_epoch: int, split: Split, folder: Path) -> None:
    """Loss and accuracy by epoch, where the learning rate fell, and whose weights were kept."""
    learned, validated = (len(split.rows(name)) for name in ("train", "val"))
    drawn, panels = figure(f"Training: {learned:,} pictures to learn from, {validated:,} to validate", 3.8, 1, 2)
    epochs, rates = [row["epoch"] for row in history], [row.get("learning_rate", 0.0) for row in history]
    for axis, name in zip(panels, ("loss", "accuracy"), strict=True):
        for key, label, colour in (
            (name, "training", plotting.TRAINING),
            (f"val_{name}", "validation", plotting.VALIDATION),
        ):
            axis.plot(epochs, [row[key] for row in history], marker="o", color=colour, label=label)
        fell = [epoch - 0.5 for epoch, before, now in zip(epochs[1:], rates, rates[1:], strict=False) if now < before]
        for number, epoch in enumerate(fell):
            axis.axvline(epoch, color=plotting.QUIET, lw=1, ls=":", label="" if number else "learning rate falls")
        axis.axvline(kept_epoch, color=plotting.QUIET, lw=1, ls="--", label=f"kept: epoch {kept_epoch}")
        axis.set(xlabel="epoch", title=f"{name} by epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    plotting.log_scale(panels[0])
    panels[1].yaxis.set_major_formatter(PercentFormatter(1))
    drawn.legend(*panels[1].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    save(drawn, folder / "curves.png")


def charts(found: Evaluation, classes: list[str], folder: Path) -> None:
    """What `found` says; the folder holds nothing else."""
    rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _confusion(found.test, classes, "the test split", folder / "confusion.png")
    _by_class(found.metrics, classes, folder / "classes.png")
    _changes(found, folder / "changes.png")
    _reliability(found, folder / "reliability.png")
    ood_charts.strangeness(found, folder / "strangeness.png")
    ood_charts.roc(found, folder / "roc.png")
    for place, judged in elsewhere(found).items():
        if len((inside := judged.only("in")).labels):
            _confusion(inside, classes, place.name, folder / f"{place.file}.png")


def _confusion(scores: Scores, classes: list[str], where: str, path: Path) -> None:
    counts, few = scores.confusion(), len(classes) <= MAX_SHARES
    totals = counts.sum(axis=1)
    shares = counts / np.maximum(totals[:, np.newaxis], 1)
    title = f"Confusion matrix: {where}, {len(scores.labels):,} pictures"
    drawn, [axis] = figure(title, min(10, 3.2 + 0.5 * len(classes)))
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.argwhere(counts):
        told = f"{counts[row, column]:,}" + (f"\n{shares[row, column]:.1%}" if few else "")
        colour, size = "white" if shares[row, column] > 0.5 else "black", 9 if few else 6.5
        axis.text(column, row, told, ha="center", va="center", color=colour, fontsize=size)
    names, angle, va = [*map(short, classes)], 40 if few else 90, "top" if few else "center"
    axis.set_xticks(range(len(names)), names, rotation=angle, ha="right", va=va, rotation_mode="anchor")
    axis.set_yticks(range(len(names)), [f"{name}  {total:,}" for name, total in zip(names, totals, strict=True)])
    axis.set(xlabel="answer, whether accepted or not", ylabel="truth, and how many pictures")
    axis.grid(visible=False)
    save(drawn, path)


def _by_class(metrics: Metrics, classes: list[str], path: Path) -> None:
    columns = {word: [metrics.get(f"test_{word}_{name}") for name in classes] for word in ("recall", "precision")}
    _intervals("Recall and precision", classes, columns, metrics["test_accuracy"], path)


def _changes(found: Evaluation, path: Path) -> None:
    names = [CHANGES.get(change, change) for change in found.corrupted]
    columns = {"right": [found.metrics.get(f"changed_{change}") for change in found.corrupted]}
    _intervals("Right when changed", names, columns, found.metrics["test_accuracy"], path)


def _intervals(title: str, names: list[str], columns: Columns, accuracy: Metric, path: Path) -> None:
    """A row a name on the test split, in it a point and its interval for every figure."""
    drawn, [axis] = figure(f"{title}: the test split, {accuracy.n:,} pictures", 1.5 + 0.34 * len(names))
    axis.axvline(accuracy.value, color=plotting.QUIET, lw=1, ls="--", label="right, of all as they are")
    for number, (word, metrics) in enumerate(columns.items()):
        _points(axis, metrics, 0.26 * (number - (len(columns) - 1) / 2), f"{word}, 95 % interval", hollow=number > 0)
    axis.set_yticks(range(len(names)), [*map(short, names)])
    for row, told in enumerate(zip(*columns.values(), strict=True)):
        values = " · ".join(f"{metric.value:.1%}" if metric else "–" for metric in told)
        axis.text(
            1.01, row, values, transform=axis.get_yaxis_transform(), va="center", fontsize=9, color=plotting.QUIET
        )
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.xaxis.set_major_formatter(PercentFormatter(1))
    drawn.legend(loc="outside lower center", ncols=3)
    save(drawn, path)


def _points(axis: Axes, metrics: Sequence[Metric | None], shift: float, label: str, hollow: bool) -> None:
    rows = [
        (row + shift, one.value, one.value - one.low, one.high - one.value) for row, one in enumerate(metrics) if one
    ]
    places, values, *reach = map(np.array, zip(*rows, strict=True))
    shape, face = ("s", "white") if hollow else ("o", plotting.TEST)
    axis.errorbar(values, places, xerr=reach, fmt=shape, mfc=face, color=plotting.TEST, capsize=3, lw=1.3, label=label)


def _reliability(found: Evaluation, path: Path) -> None:
    drawn, axis, room = plotting.square("Reliability: how often answers of a confidence are right")
    axis.plot([0, 1], [0, 1], color=plotting.QUIET, lw=1, ls="--", label="as sure as right")
    _calibration_line(axis, found.test, "test split", plotting.TEST, found.metrics["test_calibration_error"])
    for place, judged in elsewhere(found).items():
        if error := found.metrics.get(place.error):
            _calibration_line(axis, judged.only("in"), place.name, place.colour, error)
    axis.set(xlabel="confidence; the larger a circle, the more pictures", ylabel="share right")
    plotting.legend(axis, room)
    save(drawn, path)


def _calibration_line(axis: Axes, scores: Scores, where: str, colour: str, error: Metric) -> None:
    bins = np.minimum((scores.confidence * CONFIDENCE_BINS).astype(int), CONFIDENCE_BINS - 1)
    filled, counts = np.unique(bins, return_counts=True)
    means = np.array([(scores.confidence[bins == one].mean(), scores.right[bins == one].mean()) for one in filled])
    label = f"{where}, {error.n:,} pictures:\nexpected error {error.value:.1%}"
    axis.plot(*means.T, marker="o", color=colour, lw=1, markersize=3, label=label)
    axis.scatter(means[:, 0], means[:, 1], s=300 * counts / counts.sum(), color=colour, alpha=0.5)
