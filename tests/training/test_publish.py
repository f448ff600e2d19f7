"""Which bundle comes into use, what is said of it, and which drawn pictures go along; with files and no model."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.imaging import RESAMPLE
from app.model import bundle
from app.model.bundle import Bundle
from app.model.classifier import Outputs
from app.model.manifest import Input, Manifest, Metric, Ood
from training import phantoms
from training.phantoms import KINDS, OF_EACH_KIND, SHOWN, STRANGERS, choose
from training.publish import put_in_use

CLASSES = list(KINDS)
OOD = Ood(method="drawn", threshold=0.5)
MANIFEST = Manifest(name="toy", classes=CLASSES, input=Input(size=64, resample=RESAMPLE), ood=OOD)


def publish(root: Path, recall: float, classes: list[str] = CLASSES, **more: Any) -> tuple[Bundle, list[str]]:
    """A bundle that tells this share of each class rightly, as it is and changed; and what is said of it."""
    metric = Metric(value=recall, low=0, high=1, n=20)
    metrics = {f"test_recall_{name}": metric for name in classes} | {"test_accuracy": metric, "changed_mean": metric}
    manifest = MANIFEST.model_copy(update={"classes": classes, "metrics": metrics} | more)
    with bundle.staging(root) as folder:
        (folder / bundle.MODEL).write_text("drawn")
        published = bundle.publish(bundle.seal(folder, manifest), root)
    said: list[str] = []
    put_in_use(published, root, said.append)
    return published, said


def test_what_is_no_better_than_chance_leaves_the_one_in_use(tmp_path: Path) -> None:
    good, _ = publish(tmp_path, 0.9)
    for recall in (0, 1 / len(CLASSES), 0.2):
        chance, said = publish(tmp_path, recall)
        assert bundle.current(tmp_path) == good.folder
        assert chance.folder.exists()
        assert f"./bodyregion use {chance.manifest.version} --root {tmp_path}" in said[-1]


@pytest.mark.parametrize(
    ("sha256", "where"), [("one", "(the same test split)"), ("two", "(each on its own test split)")]
)
def test_what_is_worse_than_the_one_in_use_is_used_and_says_so(tmp_path: Path, sha256: str, where: str) -> None:
    before, _ = publish(tmp_path, 0.9, data={"manifest_sha256": "one"})
    after, said = publish(tmp_path, 0.75, data={"manifest_sha256": sha256})
    assert bundle.current(tmp_path) == after.folder
    assert "75.00% against 90.00%, 15.00 points less" in said[-1]
    assert where in said[-1]
    assert f"./bodyregion use {before.manifest.version} --root {tmp_path} goes back" in said[-1]


@pytest.mark.parametrize(("recall", "classes"), [(0.95, CLASSES), (0.9, CLASSES), (0.8, ["Foot", "Knee"])])
def test_what_is_as_good_or_tells_other_classes_is_used_without_a_word(
    tmp_path: Path, recall: float, classes: list[str]
) -> None:
    publish(tmp_path, 0.9)
    after, said = publish(tmp_path, recall, classes, temperature=2)
    assert bundle.current(tmp_path) == after.folder
    assert said[-1] == f"published {after.title}, now current"


def answers(labels: list[str], refused: list[str]) -> Outputs:
    """Surer from one drawing of a kind to the next, each labelled in turn as listed; those of kinds `refused` are."""
    sure = np.tile(np.linspace(0.5, 0.9, OF_EACH_KIND), len(SHOWN) // OF_EACH_KIND)
    found = np.repeat([CLASSES.index(label) for label in labels], OF_EACH_KIND)
    probabilities = np.repeat((1 - sure)[:, np.newaxis] / (len(CLASSES) - 1), len(CLASSES), axis=1)
    probabilities[np.arange(len(SHOWN)), found] = sure
    scores = np.isin(SHOWN, refused) * 0.5 + 0.25
    return Outputs(probabilities.astype(np.float32), scores.astype(np.float32))


def test_golden_pictures_are_regions_told_rightly_strangers_refused_and_what_is_least_sure() -> None:
    chosen = choose(answers([*CLASSES, *["Hand"] * len(STRANGERS)], refused=["text", "house"]), MANIFEST)
    unsure = {name for name in chosen if name.startswith("unsure")}
    assert chosen.keys() - unsure == {*CLASSES, "text", "house"}
    assert all(chosen[name] == len(SHOWN) - SHOWN[::-1].index(name) - 1 for name in CLASSES)
    assert len(unsure) == phantoms.LEAST_SURE
    assert all(chosen[name] % OF_EACH_KIND < 2 for name in unsure)


def test_a_region_told_wrongly_or_refused_is_none_of_them() -> None:
    labels = ["ChestCT" if name == "CXR" else name for name in CLASSES]
    chosen = choose(answers([*labels, *["Hand"] * len(STRANGERS)], refused=["Hand"]), MANIFEST)
    assert {*CLASSES} - chosen.keys() == {"CXR", "Hand"}
    assert not chosen.keys() & STRANGERS.keys()


def test_what_the_golden_pictures_lack_is_said(tmp_path: Path) -> None:
    _, said = publish(tmp_path, 0.9)
    assert f"golden pictures: {', '.join(CLASSES)}" in said[0]
    assert f"of {len(STRANGERS)} kinds of drawn strangers it refuses 0" in said[1]
