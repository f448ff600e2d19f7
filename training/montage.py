"""Pictures of patients side by side: in the folder of a run or an evaluation, never in a bundle."""

from pathlib import Path

import numpy as np

from app.imaging import Pixels
from training.corruptions import CORRUPTIONS
from training.datasets import Indices
from training.evaluate import Evaluation
from training.figures import Scores
from training.folders import NONE
from training.plotting import elsewhere, figure, save, short
from training.split import Split
from training.words import CHANGES

COLUMNS, MAX_MISTAKES = 6, 48
MAX_NAME = 17  # characters of a class over a picture
SAMPLES, MISTAKES = "samples.png", "mistakes"


def samples(split: Split, folder: Path) -> None:
    """A row of pictures for every class, from its first file to its last."""
    pictures = split.pictures
    rows = [np.flatnonzero(pictures.labels == index) for index in range(len(pictures.classes))]
    chosen = np.concatenate([members[np.linspace(0, len(members) - 1, COLUMNS, dtype=int)] for members in rows])
    titles = [short(pictures.classes[label], MAX_NAME) for label in pictures.labels[chosen]]
    known = sum(map(len, rows))
    _montage(
        pictures.inputs[chosen],
        titles,
        f"Samples: {COLUMNS} pictures of each class, of {known:,} in all",
        folder / SAMPLES,
    )


def mistakes(found: Evaluation, split: Split, folder: Path) -> None:
    """The surest mistakes on the test split, under the worst change of it, held out and elsewhere; no file for none."""
    for old in folder.glob(f"{MISTAKES}*.png"):
        old.unlink()
    pictures, rows = split.pictures.inputs, split.rows("test")
    names = np.array([*split.pictures.classes, NONE])  # NO_CLASS is the last
    _wrong(pictures[rows], names, found.test, found.test.mistakes(), "the test split", folder / f"{MISTAKES}.png")
    change, scores = min(found.corrupted.items(), key=lambda item: item[1].right.mean())
    changed = CORRUPTIONS[change](pictures[rows, :, :, 0])[..., np.newaxis]
    where = f"the test split, {CHANGES.get(change, change)}"
    _wrong(changed, names, scores, scores.mistakes(), where, folder / f"{MISTAKES}_{change}.png")
    for place, judged in elsewhere(found).items():
        groups, accepted = judged.pictures.groups, judged.scores.accepted
        worst = [row for row in judged.scores.mistakes() if accepted[row] or groups[row] == "in"]
        path = folder / f"{MISTAKES}_{place.file}.png"
        _wrong(judged.pictures.inputs, names, judged.scores, np.array(worst, int), place.name, path)


def _wrong(pictures: Pixels, names: np.ndarray, scores: Scores, rows: Indices, where: str, path: Path) -> None:
    """Each with its answer, its confidence, whether it was refused, and the truth."""
    shown = rows[:MAX_MISTAKES]
    answers, truths = (
        [short(names[kind], MAX_NAME) for kind in kinds[shown]] for kinds in (scores.predicted, scores.labels)
    )
    titles = [
        f"{answer} {scores.confidence[row]:.2f}\nis {truth}{'' if scores.accepted[row] else ', refused'}"
        for row, answer, truth in zip(shown, answers, truths, strict=True)
    ]
    if titles:
        count = f"{len(shown)} of {len(rows):,}" if len(shown) < len(rows) else f"{len(rows)}"
        title = f"{count} mistakes in {len(pictures):,} pictures: {where}"
        _montage(pictures[shown], titles, title, path)


def _montage(pictures: Pixels, titles: list[str], title: str, path: Path) -> None:
    height = -(-len(pictures) // COLUMNS)
    drawn, axes = figure(title, 0.5 + 1.5 * height, height, COLUMNS)
    for axis in axes:
        axis.axis("off")
    for axis, picture, name in zip(axes, pictures, titles, strict=False):
        axis.imshow(picture[:, :, 0], cmap="gray", vmin=0, vmax=255)
        axis.set_title(name, fontsize=7.5)
    save(drawn, path)
