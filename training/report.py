"""What a person looks at after a run: figures in the run folder, the charts among them for the bundle, the card."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from app.imaging import Pixels
from app.model.bundle import Manifest, Metric
from training.datasets import Pictures
from training.evaluate import Scores
from training.fit import History
from training.split import Split

PER_CLASS, MOST_MISTAKES = 6, 24


def samples(split: Split, folder: Path) -> None:
    """A row of pictures for every class. Patients' pictures: never in the bundle."""
    pictures = split.pictures
    rows = [np.flatnonzero(pictures.labels == index) for index in range(len(pictures.classes))]
    chosen = [members[np.linspace(0, len(members) - 1, PER_CLASS, dtype=int)] for members in rows]
    titles = [pictures.classes[label] for label in pictures.labels[np.concatenate(chosen)]]
    _montage(pictures.inputs[np.concatenate(chosen)], titles, folder / "samples.png")


def mistakes(pictures: Pictures, scores: Scores, folder: Path) -> None:
    """The most confident mistakes, each with its answer, its confidence and the truth."""
    worst = scores.mistakes()[:MOST_MISTAKES]
    titles = [_verdict(pictures.classes, scores, row) for row in worst]
    _montage(pictures.inputs[scores.rows[worst]], titles, folder / "mistakes.png")


def charts(history: History, scores: Scores, metrics: dict[str, Metric], classes: list[str], folder: Path) -> None:
    """Curves, confusion matrix and recalls: no picture of a patient, so they travel with the bundle."""
    folder.mkdir(parents=True, exist_ok=True)
    _save(_curves(history), folder / "curves.png")
    _save(_confusion(scores, classes), folder / "confusion.png")
    _save(_recalls(metrics, classes), folder / "recall.png")


def card(manifest: Manifest) -> str:
    """MODEL_CARD.md."""
    training, data = manifest.training, manifest.data
    rows = [
        f"| {name.replace('_', ' ')} | {_percent(metric)} | {metric.n:,} |" for name, metric in manifest.metrics.items()
    ]
    return "\n".join(
        [
            f"# {manifest.name}, preset {training['preset']}",
            "",
            f"Tells {', '.join(manifest.classes)} apart in grey pictures of {manifest.input.size} × {manifest.input.size} pixels.",
            "",
            "**Not a medical device.** For sorting and checking archives; a person decides.",
            "",
            f"Trained on {data['pictures']:,} pictures in {training['seconds']} seconds; split {data['split']}, seed {training['seed']}.",
            f"Data: {data['source']}.",
            "",
            "| share | value, 95 % interval | pictures |",
            "|---|---|---|",
            *rows,
            "",
            "Measured on the published bundle, through the decoder and classifier the service uses. The list of pictures and",
            "their splits is `manifest.csv.gz`. Pictures from other sources are judged far worse than these figures say, and",
            "pictures of anything else are still given one of the classes." if "ood" not in training else "",
            "",
        ]
    )


def _verdict(classes: list[str], scores: Scores, row: int) -> str:
    confidence = scores.probabilities[row].max()
    return f"{classes[scores.predicted[row]]} {confidence:.2f}\nis {classes[scores.labels[row]]}"


def _percent(metric: Metric) -> str:
    return f"{metric.value:.2%} ({metric.low:.2%} – {metric.high:.2%})"


def _curves(history: History) -> Figure:
    figure, axes = plt.subplots(1, 2, figsize=(10, 4))
    epochs = [row["epoch"] for row in history]
    for axis, name in zip(axes, ("loss", "accuracy"), strict=True):
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            axis.plot(epochs, [row[key] for row in history], marker=".", label=label)
        axis.set(xlabel="epoch", title=name)
        axis.legend()
    axes[0].set_yscale("log")
    return figure


def _confusion(scores: Scores, classes: list[str]) -> Figure:
    counts = scores.confusion()
    figure, axis = plt.subplots(figsize=(6, 5))
    axis.imshow(counts / counts.sum(axis=1, keepdims=True), cmap="Blues", vmin=0, vmax=1)
    axis.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
    axis.set_yticks(range(len(classes)), classes)
    axis.set(xlabel="answer", ylabel="truth", title="test split")
    for (row, column), count in np.ndenumerate(counts):
        axis.text(column, row, str(count), ha="center", va="center", color="white" if row == column else "black")
    return figure


def _recalls(metrics: dict[str, Metric], classes: list[str]) -> Figure:
    found = [metrics[f"test_recall_{name}"] for name in classes]
    reach = [[metric.value - metric.low for metric in found], [metric.high - metric.value for metric in found]]
    figure, axis = plt.subplots(figsize=(6, 4))
    axis.errorbar([metric.value for metric in found], range(len(classes)), xerr=reach, fmt="o", capsize=3)
    axis.set_yticks(range(len(classes)), classes)
    axis.set(xlabel="recall on the test split, 95 % interval")
    return figure


def _montage(pictures: Pixels, titles: list[str], path: Path) -> None:
    height = max(1, -(-len(pictures) // PER_CLASS))
    figure, axes = plt.subplots(height, PER_CLASS, figsize=(1.6 * PER_CLASS, 1.9 * height), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, picture, title in zip(axes.flat, pictures, titles, strict=False):
        axis.imshow(picture[:, :, 0], cmap="gray", vmin=0, vmax=255)
        axis.set_title(title, fontsize=7)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=100, metadata={"Software": None})
    plt.close(figure)
