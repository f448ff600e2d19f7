"""What a person looks at: figures in the run folder, and the charts among them that travel with the bundle."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from app.imaging import Pixels
from app.model.manifest import Metric
from training.corruptions import CORRUPTIONS
from training.datasets import Indices
from training.evaluate import Evaluation
from training.figures import Elsewhere, Metrics, Scores
from training.fit import History
from training.folders import NONE
from training.intervals import CONFIDENCE_BINS
from training.split import Split

mpl.rcParams["text.parse_math"] = False  # a class or a folder may have two dollar signs in its name
MONTAGE_COLUMNS, MAX_MISTAKES = 6, 48


def samples(split: Split, folder: Path) -> None:
    """A row of pictures for every class. Patients' pictures: never in the bundle."""
    pictures = split.pictures
    rows = [np.flatnonzero(pictures.labels == index) for index in range(len(pictures.classes))]
    chosen = np.concatenate([members[np.linspace(0, len(members) - 1, MONTAGE_COLUMNS, dtype=int)] for members in rows])
    titles = [pictures.classes[label] for label in pictures.labels[chosen]]
    _montage(pictures.inputs[chosen], titles, folder / "samples.png")


def mistakes(found: Evaluation, split: Split, folder: Path) -> None:
    """The surest mistakes on the test split, under the worst change of it, held out and elsewhere. Never in the bundle."""
    pictures, rows = split.pictures.inputs, split.rows("test")
    names = np.array([*split.pictures.classes, NONE])  # NO_CLASS is the last
    _wrong(pictures[rows], names, found.test, found.test.mistakes(), folder / "mistakes.png")
    change, scores = min(found.corrupted.items(), key=lambda item: item[1].right.mean())
    changed = CORRUPTIONS[change](pictures[rows, :, :, 0])[..., np.newaxis]
    _wrong(changed, names, scores, scores.mistakes(), folder / f"mistakes_{change}.png")
    for name, judged in _elsewhere(found).items():
        groups, accepted = judged.pictures.groups, judged.scores.accepted
        worst = [row for row in judged.scores.mistakes() if accepted[row] or groups[row] == "in"]
        _wrong(judged.pictures.inputs, names, judged.scores, np.array(worst, int), folder / f"mistakes_{name}.png")


def _elsewhere(found: Evaluation) -> dict[str, Elsewhere]:
    """Pictures that are not the data set's, by what files about them are called."""
    both = {"heldout": found.held_out, "elsewhere": found.external}
    return {name: judged for name, judged in both.items() if judged}


def _wrong(pictures: Pixels, names: np.ndarray, scores: Scores, rows: Indices, path: Path) -> None:
    """Each with its answer, its confidence, whether it was refused, and the truth."""
    titles = [
        f"{names[scores.predicted[row]]} {scores.confidence[row]:.2f}{'' if scores.accepted[row] else ', refused'}\n"
        f"is {names[scores.labels[row]]}"
        for row in rows[:MAX_MISTAKES]
    ]
    _montage(pictures[rows[:MAX_MISTAKES]], titles, path)


def curves(history: History, folder: Path) -> None:
    """Loss and accuracy by epoch, training and validation."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4))
    for axis, name in zip(axes, ("loss", "accuracy"), strict=True):
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            axis.plot([row["epoch"] for row in history], [row[key] for row in history], marker=".", label=label)
        axis.set(xlabel="epoch", title=name)
        axis.legend()
    axes[0].set_yscale("log")
    _save(figure, folder / "curves.png")


def charts(found: Evaluation, classes: list[str], folder: Path) -> None:
    """What `found` says, without a picture of a patient."""
    folder.mkdir(parents=True, exist_ok=True)
    _confusion(found.test, classes, "test split", folder / "confusion.png")
    _intervals(found.metrics, "test_recall_", "recall on the test split", folder / "recall.png")
    _intervals(found.metrics, "changed_", "right on the test split, changed", folder / "changes.png")
    _reliability(found, folder / "reliability.png")
    _ood_scores(found, folder / "strangeness.png")
    for name, judged in _elsewhere(found).items():
        _confusion(judged.only("in"), classes, name, folder / f"{name}.png")


def _confusion(scores: Scores, classes: list[str], title: str, path: Path) -> None:
    counts = scores.confusion()
    figure, axis = plt.subplots(figsize=(6, 5))
    axis.imshow(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    axis.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
    axis.set_yticks(range(len(classes)), classes)
    axis.set(xlabel="answer", ylabel="truth", title=title)
    for (row, column), count in np.ndenumerate(counts):
        axis.text(column, row, str(count), ha="center", va="center", color="white" if row == column else "black")
    _save(figure, path)


def _intervals(metrics: Metrics, prefix: str, title: str, path: Path) -> None:
    """A point and its 95 % interval for every metric of that prefix."""
    chosen: dict[str, Metric] = {key[len(prefix) :]: value for key, value in metrics.items() if key.startswith(prefix)}
    values = list(chosen.values())
    reach = [[metric.value - metric.low for metric in values], [metric.high - metric.value for metric in values]]
    figure, axis = plt.subplots(figsize=(6, 1 + 0.3 * len(values)))
    axis.errorbar([metric.value for metric in values], range(len(values)), xerr=reach, fmt="o", capsize=3)
    axis.set_yticks(range(len(values)), list(chosen))
    axis.invert_yaxis()
    axis.set(xlabel=f"{title}, 95 % interval")
    _save(figure, path)


def _reliability(found: Evaluation, path: Path) -> None:
    figure, axis = plt.subplots(figsize=(5, 5))
    axis.plot([0, 1], [0, 1], color="grey", linewidth=0.5)
    _calibration_line(axis, found.test, "test split")
    for name, judged in _elsewhere(found).items():
        _calibration_line(axis, judged.only("in"), name)
    axis.set(xlabel="confidence", ylabel="share right", title="reliability")
    axis.legend()
    _save(figure, path)


def _calibration_line(axis: Axes, scores: Scores, label: str) -> None:
    bins = np.minimum((scores.confidence * CONFIDENCE_BINS).astype(int), CONFIDENCE_BINS - 1)
    filled = np.unique(bins)
    means = [(scores.confidence[bins == one].mean(), scores.right[bins == one].mean()) for one in filled]
    axis.plot(*zip(*means, strict=True), marker="o", label=label)


def _ood_scores(found: Evaluation, path: Path) -> None:
    figure, axis = plt.subplots(figsize=(6, 4))
    groups = {"test split": found.test.ood_score}
    for name, judged in _elsewhere(found).items():
        for group in np.unique(judged.pictures.groups):
            groups[f"{name}: {group}"] = judged.only(group).ood_score
    for label, values in groups.items():
        weights = np.full(len(values), 1 / len(values))
        axis.hist(values, bins=np.linspace(0, 1, 41).tolist(), weights=weights, label=label, alpha=0.5)
    axis.axvline(found.test.threshold, color="black", linewidth=1, label="threshold")
    axis.set(xlabel="ood_score", ylabel="share of pictures", yscale="log")
    axis.legend()
    _save(figure, path)


def _montage(pictures: Pixels, titles: list[str], path: Path) -> None:
    height = max(1, -(-len(pictures) // MONTAGE_COLUMNS))
    figure, axes = plt.subplots(height, MONTAGE_COLUMNS, figsize=(1.6 * MONTAGE_COLUMNS, 1.9 * height), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, picture, title in zip(axes.flat, pictures, titles, strict=False):
        axis.imshow(picture[:, :, 0], cmap="gray", vmin=0, vmax=255)
        axis.set_title(title, fontsize=7)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=80, metadata={"Software": None})
    plt.close(figure)
