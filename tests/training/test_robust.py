"""What the robust recipe is made of: corruptions, repainting, negatives, intervals, and the figures they give."""

import gzip
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.imaging import View
from app.model import bundle
from app.model.bundle import CARD
from app.model.classifier import Outputs
from tests.conftest import KINDS, train
from tests.running import run
from training import datasets, phantoms, split
from training.augment import augment, warp
from training.augmenter import Augmenter
from training.batch_random import SIDE, BatchRandom
from training.corruptions import CORRUPTIONS
from training.figures import Scores, on_split
from training.intervals import auroc, calibration_error, equal_error, mean_recall, share
from training.recipes.robust import RECIPE, AugmentedBatches
from training.split import Split

PICTURES = np.stack([phantoms.draw(kind, np.random.default_rng(1)) for kind in phantoms.KINDS])  # (6, 64, 64)
QUICK = replace(RECIPE, pool=200)  # strangers take the time


@pytest.fixture(scope="module")
def parts(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Split:
    return split.make(datasets.load(data, View(64), tmp_path_factory.mktemp("cache")), "blocked", 0)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_changes_pictures_and_not_their_kind(name: str) -> None:
    changed = CORRUPTIONS[name](PICTURES)
    assert changed.shape == PICTURES.shape
    assert changed.dtype == np.uint8
    assert not np.array_equal(changed, PICTURES)
    assert np.array_equal(changed, CORRUPTIONS[name](PICTURES.copy()))


def test_corruptions_do_what_they_are_called() -> None:
    level = np.full((1, 64, 64), 100, np.uint8)
    assert CORRUPTIONS["brighter"](level)[0, 0, 0] == 138
    assert CORRUPTIONS["darker"](level)[0, 0, 0] == 62
    assert CORRUPTIONS["low_contrast"](level)[0, 0, 0] == 106  # 30 + 76.5, rounded to even
    assert CORRUPTIONS["gamma_2"](level)[0, 0, 0] == 39
    assert CORRUPTIONS["background_black"](level)[0, 0, 0] == 0
    assert np.array_equal(CORRUPTIONS["turned_180"](CORRUPTIONS["turned_180"](PICTURES)), PICTURES)


def test_batches_depend_on_seed_epoch_and_number_alone(parts: Split) -> None:
    one, other = AugmentedBatches(parts, None, QUICK), AugmentedBatches(parts, None, QUICK)
    other.start(epoch=1)
    other.start(epoch=0)
    assert all(np.array_equal(a, b) for a, b in zip(one[0], other[0], strict=True))
    other.start(epoch=1)
    assert not np.array_equal(one[0][0], other[0][0])


def test_a_batch_is_pictures_with_their_class_and_strangers_with_none(parts: Split) -> None:
    batches = AugmentedBatches(parts, None, QUICK)
    inputs, targets, weights = batches[0]
    negatives = weights == RECIPE.stranger_weight
    assert inputs.shape == (len(weights), 64, 64, 1)
    assert set(targets[negatives].ravel()) == {np.float32(1 / len(KINDS))}
    assert set(targets[~negatives].max(axis=1)) == {1}
    known = {picture.tobytes() for picture in parts.pictures.inputs}
    untouched = sum(picture.tobytes() in known for picture in inputs[~negatives])
    assert untouched == pytest.approx(RECIPE.untouched, abs=2)


def test_breasts_are_repainted_by_their_outline_and_other_classes_are_not(tmp_path: Path) -> None:
    phantoms.write_data_set(tmp_path / "drawn", ["BreastMRI", "Hand"], count=20, seed=0)
    parts = split.make(datasets.load(tmp_path / "drawn", View(64), tmp_path / "cache"), "blocked", 0)
    augmenter = Augmenter(parts, rows := parts.rows("train"))
    breasts = parts.pictures.labels[rows] == 0
    assert ((augmenter.places >= 0) == breasts).all()
    depth = augmenter.planes[:, 0]
    assert (depth[:, 32, 32] > depth[:, 32, 12]).all()
    shown = augmenter._repainted(np.random.default_rng(0), np.arange(len(rows)))
    same = (shown * 255 == augmenter.inputs[rows]).all((1, 2))
    assert same[~breasts].all()
    assert not same[breasts].all()


def test_a_flat_picture_stays_flat_however_it_is_warped() -> None:
    flat = np.full((20, SIDE, SIDE), 0.25, np.float32)
    assert np.allclose(
        warp(BatchRandom(np.random.default_rng(0), 20), flat, np.full((20, 1, 1), 0.25, np.float32)), 0.25
    )


def test_augmented_pictures_are_bytes_and_differ() -> None:
    augmented = augment(np.random.default_rng(0), PICTURES / np.float32(255))
    assert augmented.dtype == np.uint8
    assert not np.array_equal(augmented, augment(np.random.default_rng(1), PICTURES / np.float32(255)))


def test_intervals_hold_their_value_and_narrow_with_n() -> None:
    few, many = share(np.array([True] * 9 + [False])), share(np.array([True] * 900 + [False] * 100))
    assert (few.low, few.high) == pytest.approx((0.5958, 0.9821), abs=1e-3)
    assert few.low < many.low < 0.9 < many.high < few.high
    assert share(np.ones(5, bool)).high == 1


def test_a_sure_and_right_answer_is_calibrated_and_a_answers_one_is_not() -> None:
    sure = np.full(100, 0.99, np.float32)
    assert calibration_error(sure, np.ones(100, bool)).value == pytest.approx(0.01, abs=1e-6)
    assert calibration_error(sure, np.zeros(100, bool)).value == pytest.approx(0.99, abs=1e-6)


def test_mean_confidence_counts_right_and_wrong_alike() -> None:
    answers = Outputs(np.array([[0.9, 0.1], [0.7, 0.3]], np.float32))
    figures = on_split(Scores(np.array([0, 1]), answers, threshold=1), ["one", "other"], "test")
    assert (figures["test_confidence"].value, figures["test_accuracy"].value) == pytest.approx((0.8, 0.5))


def test_recall_is_of_a_class_and_precision_of_an_answer() -> None:
    answers = Outputs(np.eye(3, dtype=np.float32)[[0, 0, 0, 1, 0]], None)
    found = on_split(Scores(np.array([0, 0, 1, 1, 2]), answers, threshold=1), ["one", "other", "never"], "test")
    told = {key.removeprefix("test_"): (metric.value, metric.n) for key, metric in found.items() if "_precision" in key}
    assert told == {"precision_one": (0.5, 4), "precision_other": (1, 1)}
    assert found["test_recall_other"].value == 0.5


def test_ranking_counts_ties_as_half() -> None:
    low, high = np.zeros(20, np.float32), np.ones(10, np.float32)
    assert auroc(low, high).value == 1
    assert auroc(high, low).value == 0
    assert auroc(low, low).value == 0.5


def test_the_equal_error_rate_lies_where_as_many_are_turned_away_as_let_in() -> None:
    inside, outside = np.arange(0, 100, dtype=np.float32), np.arange(80, 180, dtype=np.float32)
    threshold = equal_error(inside, outside)
    assert np.mean(inside > threshold) == pytest.approx(np.mean(outside <= threshold), abs=0.01)
    assert 88 <= threshold <= 91


def test_mean_recall_counts_every_class_alike() -> None:
    assert mean_recall(np.arange(1002) < 1000, (np.arange(1002) >= 1000).astype(int)).value == 0.5


def test_a_robust_bundle_publishes_every_figure_and_a_card_that_names_the_worst(robust: Path) -> None:
    published = bundle.read(robust / "current")
    metrics = published.manifest.metrics
    assert {f"changed_{name}" for name in CORRUPTIONS} < set(metrics)
    assert {"test_accepted", "out_accepted", "out_accepted_other kinds", "auroc"} < set(metrics)
    assert {"external_mean_recall", "external_accepted", "external_accuracy_drawn"} < set(metrics)
    assert {"off_protocol_wrong", "off_protocol_wrong_Hand_turned"} < set(metrics)
    assert all(metric.low <= metric.value <= metric.high for metric in metrics.values())
    assert list((robust.parent / "runs").glob("*/mistakes_elsewhere.png"))
    card = published.path(CARD).read_text()
    assert "Not a medical device" in card
    assert "Where it fails" in card
    assert "python -m training --preset robust --seed 0" in card


@pytest.mark.slow
def test_evaluate_prints_every_figure_beside_the_article(
    robust: Path, artifacts: Path, data: Path, elsewhere: Path, tmp_path: Path
) -> None:
    both = tmp_path / "artifacts"
    for root in (robust, artifacts):
        folder = bundle.read(root / "current").folder
        shutil.copytree(folder, both / folder.name)
    version = bundle.read(robust / "current").manifest.version
    options: list[str | Path] = ["--bundle", version, "--data", data, "--artifacts", both, "--out", tmp_path / "out"]
    options += ["--cache", tmp_path / "cache"]
    done = run("training", "evaluate", *options, "--external", elsewhere)
    assert done.returncode == 0, done.stderr
    assert all(word in done.stdout for word in ("robust", "article", "Pictures from elsewhere", "ms for 32"))
    figures = json.loads((tmp_path / "out" / f"mednist-{version}.json").read_text())
    published = bundle.read(robust / "current").manifest.metrics
    assert figures["test_accuracy"]["value"] == published["test_accuracy"].value
    assert figures["forward_milliseconds"]["1"] > 0
    done = run("training", "robustness", *options)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in ("turned by 90°", "worst change", *KINDS))


def test_evaluating_on_other_pictures_than_the_listed_is_refused(robust: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    phantoms.write_data_set(other, KINDS, count=60, seed=5)
    places: list[str | Path] = ["--artifacts", robust, "--cache", tmp_path / "cache", "--out", tmp_path / "out"]
    done = run("training", "evaluate", "--data", other, *places)
    assert done.returncode == 2
    assert f"pictures of {bundle.read(robust / 'current').title} are missing or differ, such as" in done.stderr


def test_extra_pictures_join_their_class_a_new_class_or_the_strangers(data: Path, tmp_path: Path) -> None:
    phantoms.write_data_set(tmp_path / "own", ["Hand", "CXR", "HeadCT"], count=30, seed=7)
    (tmp_path / "own" / "HeadCT").rename(tmp_path / "own" / "none")
    artifacts = train(data, tmp_path, "--extra", tmp_path / "own")
    published = bundle.read(artifacts / "current")
    assert published.manifest.classes == [*KINDS, "CXR"]
    listing = gzip.decompress(published.path("manifest.csv.gz").read_bytes()).decode().splitlines()
    for kind in ("Hand", "CXR", "none"):
        rows = [line.split(",") for line in listing if line.startswith(f"extra/{kind}/")]
        assert len(rows) == 30
        assert {row[1] for row in rows} == {kind}
        assert {row[2] for row in rows} == {"train", "val", "test"}
    assert "test_none_accepted" in published.manifest.metrics
