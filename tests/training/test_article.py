"""What `training/README.md` says of the article's network is what there is."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest

from app.imaging import View, decode, to_input
from app.model import bundle, checkpoint
from app.model.classifier import Classifier
from app.model.prediction import predict
from tests.running import CACHE, COMMITTED, ROOT
from training import recipes, split
from training.collect import gather

DOCUMENT = (ROOT / "training" / "README.md").read_text()
ARTICLE = COMMITTED.parent / "mednist-0d35cfaf2f4e"
BUNDLES = {"article": ARTICLE, "robust": COMMITTED}


def row(name: str) -> list[str]:
    """The cells of the first row of a table that begins so."""
    line = next(line for line in DOCUMENT.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.split("|")[2:-1]]


def test_its_summary_is_what_keras_prints() -> None:
    keras.utils.clear_session()  # or the numbers in the names of layers go on from an earlier network
    printed: list[str] = []
    recipes.load("article").network(6, steps_per_epoch=1).summary(print_fn=printed.append)
    assert f"```text\n{printed[0].strip()}\n```" in DOCUMENT


@pytest.mark.parametrize("preset", BUNDLES)
def test_the_drawn_pictures_get_the_answers_it_says(preset: str) -> None:
    read = checkpoint.compiled(bundle.read(BUNDLES[preset]), Path(os.environ[CACHE]))
    classifier = Classifier(read)
    files = [ROOT / "examples" / f"{name}.png" for name in [*read.manifest.classes, "stranger"]]
    outputs = classifier(np.stack([to_input(decode(file.read_bytes()), classifier.size) for file in files]))
    said = (predict(read.manifest, outputs, index) for index in range(len(files)))
    told = [f"{one.label}<br>{100 * one.confidence:.0f} %" if one.label else "none of the six" for one in said]
    assert told == row(f"`{preset}` says")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("test split, right", "test_accuracy"),
        ("… with a black background", "changed_background_black"),
        ("… changed in 17 ways, mean", "changed_mean"),
        ("elsewhere, mean recall of six", "external_mean_recall"),
        ("… pictures of none of the six, given a label", "out_accepted"),
    ],
)
def test_its_figures_are_those_of_the_bundles(name: str, key: str) -> None:
    stated = [cell.partition(" %")[0] for cell in row(name)[1:]]
    assert stated == [f"{100 * bundle.read(folder).manifest.metrics[key].value:.2f}" for folder in BUNDLES.values()]


@pytest.mark.real
def test_the_grey_at_the_edge_alone_tells_as_much_as_it_says(real_data: Path, tmp_path: Path) -> None:
    pictures = gather(str(real_data / "MedNIST.tar.gz"), None, tmp_path, View(split.SIDE))
    parts = split.make(pictures, "blocked", seed=0)
    train, test = parts.rows("train"), parts.rows("test")
    ring = np.ones((split.SIDE, split.SIDE), bool)
    ring[1:-1, 1:-1] = False
    greys = np.median(pictures.inputs[:, ring], axis=(1, 2)).astype(int)
    counts = np.zeros((256, len(pictures.classes)), int)
    np.add.at(counts, (greys[train], pictures.labels[train]), 1)
    right = counts.argmax(axis=1)[greys[test]] == pictures.labels[test]
    by_class = [right[pictures.labels[test] == label].mean() for label in range(len(pictures.classes))]
    assert f"right on {100 * right.mean():.2f} % " in DOCUMENT
    assert row("right by that alone, on the test split") == [f"{100 * share:.0f} %" for share in by_class]
