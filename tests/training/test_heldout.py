"""Figures on held-out companions, by answers made by hand; what manifest, card and report say of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.imaging import View
from app.model.bundle import read
from app.model.classifier import Outputs
from app.model.manifest import Metric
from tests.bundles import classifier
from tests.conftest import KINDS
from tests.running import BEFORE, COMMITTED
from training import card, charts, companions, datasets, montage, phantoms, split, words
from training.calibrate import Calibration
from training.companions import Companions
from training.evaluate import Evaluation, evaluate
from training.external import held_out
from training.figures import Elsewhere, Scores, on_elsewhere
from training.intervals import auroc, bootstrapped, calibration_error, mean_recall, share
from training.publish import draft
from training.recipes.robust import RECIPE
from training.split import Split

FEW, MANY = np.array(["a", "b"]).repeat(50), np.array([*"abcdefghij"]).repeat(10)
RIGHT = MANY < "i"  # of two origins in ten none


def row(name: str, kind: str = "drawn", held: str = "origin", origin: str = "there") -> companions.Row:
    filled = {"class": name, "kind": kind, "held_out": held, "origin": origin}
    return dict.fromkeys(companions.read()[0], "") | {"licence": "CC0; README", "credit": "who drew it"} | filled


def of(rows: list[companions.Row], classes: list[str] = KINDS, ct: tuple[int, ...] = ()) -> Companions:
    """Companions, drawn, and black where these are strangers; those of the rows `ct` have 60 Hounsfield units throughout."""
    black = np.zeros((64, 64), np.uint8)
    drawn = [
        phantoms.draw(one["class"], np.random.default_rng(3)) if one["class"] in classes else black for one in rows
    ]
    units = np.full((len(ct), 256, 256), 60, np.int16)
    return Companions(classes, rows, np.stack(drawn)[..., np.newaxis], units, np.array(ct, np.intp), [], "0" * 64)


def figures(rows: list[companions.Row], predicted: list[int], accepted: list[bool]) -> dict[str, Metric]:
    """Of these answers, each nine tenths sure."""
    pictures = held_out(of(rows), View(64))
    probabilities = np.full((len(predicted), len(KINDS)), 0.05, np.float32)
    probabilities[np.arange(len(predicted)), predicted] = 0.9
    answers = Outputs(probabilities, np.where(accepted, 0, 1).astype(np.float32))
    return on_elsewhere(Elsewhere(pictures, Scores(pictures.labels, answers, 0.5)), KINDS, "heldout_", "heldout_")


def test_every_class_that_has_some_counts_alike_and_every_origin_has_its_figures() -> None:
    rows = [row("AbdomenCT")] * 3 + [row("Hand", origin="here")]
    found = {name: metric.value for name, metric in figures(rows, [0, 0, 0, 0], [True, True, False, True]).items()}
    assert found["heldout_mean_recall"] == 0.5
    assert found["heldout_accuracy"] == found["heldout_accepted"] == 0.75
    assert (found["heldout_recall_AbdomenCT"], found["heldout_recall_Hand"]) == (1, 0)
    assert found["heldout_accepted_AbdomenCT"] == found["heldout_accepted_of_there"] == pytest.approx(2 / 3)
    assert (found["heldout_accuracy_there"], found["heldout_accuracy_here"]) == (1, 0)
    assert found["heldout_calibration_error_Hand"] == pytest.approx(0.9)
    assert found["heldout_calibration_error_of_there"] == pytest.approx(0.1)
    assert not any("HeadCT" in name or "_out_accepted" in name or "auroc" in name for name in found)


def test_what_is_learned_from_is_not_judged() -> None:
    found = figures([row("Hand"), row("Hand", held=""), row("none"), row("none", held="")], [1, 1], [True, False])
    assert found["heldout_accuracy"].n == found["heldout_out_accepted"].n == 1
    assert found["heldout_auroc"].value == 1


def test_kinds_of_fewer_than_ten_are_pooled() -> None:
    kinds = ["leaf"] * 10 + ["icon"] * 9 + ["map"]
    found = figures([row("none", kind) for kind in kinds], [0] * 20, [True] + [False] * 18 + [True])
    out = {name: (metric.value, metric.n) for name, metric in found.items()}
    assert out == {
        "heldout_out_accepted": (0.1, 20),
        "heldout_out_accepted_leaf": (0.1, 10),
        "heldout_out_accepted_other kinds": (0.1, 10),
    }


def test_an_interval_over_origins_is_wider_and_says_of_how_many() -> None:
    labels, confidence = np.arange(100) % 2, np.full(100, 0.9, np.float32)
    for one, other in (
        (share(RIGHT, MANY), share(RIGHT)),
        (mean_recall(RIGHT, labels, MANY), mean_recall(RIGHT, labels)),
        (calibration_error(confidence, RIGHT, MANY), calibration_error(confidence, RIGHT)),
        (auroc(1.0 - RIGHT, confidence, MANY, MANY), auroc(1.0 - RIGHT, confidence)),
    ):
        assert one.value == other.value
        assert one.n == other.n
        assert (one.origins, other.origins) == (10, None)
        assert one.high - one.low > 1.5 * (other.high - other.low)
        assert one.low <= one.value <= one.high


def test_of_fewer_than_five_origins_the_interval_is_over_pictures() -> None:
    assert share(RIGHT, FEW) == share(RIGHT)
    assert mean_recall(RIGHT, np.zeros(100, int), FEW) == mean_recall(RIGHT, np.zeros(100, int))
    assert bootstrapped(lambda one, other: 0, MANY, FEW).origins is None


def test_all_of_many_origins_right_is_not_taken_for_certain() -> None:
    assert share(np.ones(100, bool), MANY).low == share(np.ones(100, bool)).low < 1


def test_a_figure_over_pictures_does_not_mention_origins() -> None:
    assert "origins" not in share(RIGHT).model_dump_json()
    assert words.counted([share(RIGHT), None, share(RIGHT)]) == "100"
    assert words.counted([share(RIGHT, MANY), share(RIGHT)]) == "100 of 10 origins, 100"


def test_ct_is_seen_through_the_window_of_the_bundle() -> None:
    pictures = of([row("Hand"), row("AbdomenCT")], ct=(1,))
    own, other = held_out(pictures, View(64)).inputs, held_out(pictures, View(64, (60.5, 201))).inputs
    assert np.array_equal(own, pictures.inputs)
    assert np.array_equal(other[0], own[0])
    assert (other[1] == 128).all()


CLASSES = sorted(companions.CLASSES)
LISTED = [row("AbdomenCT"), row("Hand"), row("Hand", held="")]
LISTED += [row("none", kind, held) for kind in ("leaf", "icon") for held in ("origin", "kind")]
BESIDE = of(LISTED, CLASSES)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Split:
    """A tiny data set of the committed bundle's classes."""
    base = tmp_path_factory.mktemp("drawn")
    phantoms.write_data_set(base / "data", CLASSES, count=20, seed=0)
    return split.make(datasets.load(base / "data", View(64), base / "cache"), "blocked", 0)


@pytest.fixture(scope="module")
def judged(parts: Split) -> Evaluation:
    return evaluate(classifier(COMMITTED), parts, BESIDE, None)


def test_a_bundle_is_judged_on_companions_and_on_validation_pictures_of_classes_without(judged: Evaluation) -> None:
    found = judged.metrics
    assert (found["heldout_mean_recall"].n, found["heldout_out_accepted"].n) == (2, 4)
    assert found["heldout_new_kinds_accepted"].n == 2
    without = [name for name in CLASSES if name not in ("AbdomenCT", "Hand")]
    for name in ("val_augmented_accepted_", "val_changed_accepted_"):
        assert [key.removeprefix(name) for key in found if key.startswith(name)] == without
    assert 0 < found["val_changed_accepted_HeadCT"].value <= 1


def test_the_same_bundle_on_the_same_pictures_has_the_same_figures(judged: Evaluation, parts: Split) -> None:
    assert evaluate(classifier(COMMITTED), parts, BESIDE, None).metrics == judged.metrics


def test_a_bundle_that_cannot_refuse_accepts_all(artifacts: Path, data: Path, tmp_path: Path) -> None:
    three = split.make(datasets.load(data, View(64), tmp_path), "blocked", 0)
    found = evaluate(classifier(artifacts / "current"), three, of(LISTED), None).metrics
    assert found["heldout_accepted"].value == found["heldout_out_accepted"].value == 1
    assert not any(name.startswith("val_augmented_") for name in found)


def test_the_surest_mistakes_are_shown_beside_the_run_and_not_among_the_charts(
    judged: Evaluation, parts: Split, tmp_path: Path
) -> None:
    assert judged.held_out
    accepting = replace(judged.held_out.scores, threshold=1.0)  # so that strangers are mistaken
    montage.mistakes(replace(judged, held_out=replace(judged.held_out, scores=accepting)), parts, tmp_path)
    charts.charts(judged, CLASSES, tmp_path / "charts")
    assert (tmp_path / "mistakes_heldout.png").is_file()
    drawn = {path.name: path for path in (tmp_path / "charts").iterdir()}
    assert {int.from_bytes(path.read_bytes()[16:20]) for path in drawn.values()} == {1200}  # PNG's width
    assert max(path.stat().st_size for path in drawn.values()) < 100_000  # a bundle is kept in git
    assert {"heldout.png", "roc.png"} <= drawn.keys()
    assert not any("mistakes" in name for name in drawn)


def test_the_manifest_and_the_card_tell_what_is_held_out_and_whom_to_credit(judged: Evaluation, parts: Split) -> None:
    calibration = Calibration(1.0, 0.0, "by hand")
    first = draft("drawn", "us", RECIPE, parts, BESIDE, calibration, {}, [])
    assert first.ood
    assert first.ood.method == "by hand"
    assert first.data["companions"] == {"sha256": BESIDE.sha256, "counts": BESIDE.counts()}
    training = first.training | {"parameters": 1}
    told = card.write(first.model_copy(update={"training": training, "metrics": judged.metrics}), BESIDE)
    assert "1 and 1 of Hand, 0 and 4 of none of the classes" in told
    assert "of Hand a fifth by picture or patient, which is not another hospital" in told
    assert "None shows BreastMRI, CXR, ChestCT and HeadCT" in told
    assert "Held-out companions: strangers of kinds that none was trained on, accepted" in told
    assert told.rstrip().endswith("- there: CC0: who drew it")


def test_without_companions_neither_tells_of_any(parts: Split) -> None:
    assert "companions" not in draft("drawn", "us", RECIPE, parts, None, None, {}, []).data
    told = card.write(read(BEFORE).manifest)
    assert told.count("ompanions") == 1
    assert "--companions none`: " in told  # without it the command would fetch them
