"""Series drawn from answers made by hand: what they are made of, and what the tables say of them."""

import re
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from app.model.bundle import read
from app.model.classifier import Outputs
from app.model.manifest import Manifest
from tests.running import COMMITTED, run
from training import DataError, series
from training.datasets import NO_CLASS
from training.drawn_series import SEQUENCES, draw
from training.external import External
from training.figures import Elsewhere, Scores

EACH = 3  # of every sequence


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return read(COMMITTED).manifest


def answered(classes: list[str], wrong: int = 0, without: str = "") -> Elsewhere:
    """Twenty pictures of each class and of strangers, of two origins, all surely right but for the first few of each."""
    labels = np.array([*range(len(classes)), NO_CLASS]).repeat(20)
    labels = labels[labels != (classes.index(without) if without else len(classes))]
    index = np.arange(len(labels))
    said = np.where(index % 20 < wrong, (labels + 1) % len(classes), labels)
    sure, strange = said[:, np.newaxis] == np.arange(len(classes)), said == NO_CLASS
    answers = Outputs(sure.astype(np.float32), strange.astype(np.float32))
    inputs, drawn = np.zeros((len(labels), 64, 64, 1), np.uint8), np.full(len(labels), "drawn")
    pictures = External(inputs, drawn, drawn, labels, sources=np.where(index % 2, "here", "there"))
    return Elsewhere(pictures, Scores(labels, answers, 0.5))


def shown(manifest: Manifest, wrong: int = 0) -> dict[str, list[str]]:
    """The tables' rows on series of a model that is `wrong` so often: shares and numbers, by what they are of."""
    drawn = draw(manifest.classes, answered(manifest.classes, wrong), seed=0, each=EACH)
    console = Console(file=StringIO(), width=80)
    console.print(*series.tables(manifest, drawn))
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    found = (re.fullmatch(r" *(\D.*?|[\d.]+ .*?) +([\d.]+% .*?) *", line) for line in lines)
    return {" ".join(row[1].split()): row[2].split() for row in found if row}


def percents(cells: list[str]) -> list[float]:
    return [float(cell.rstrip("%")) for cell in cells]


def test_a_drawn_series_has_the_regions_of_its_sequence_with_some_slices_missing(manifest: Manifest) -> None:
    drawn = draw(manifest.classes, answered(manifest.classes), seed=0, each=EACH)
    assert len(drawn) == EACH * len(SEQUENCES)
    for index, one in enumerate(drawn):
        kind, sequence = SEQUENCES[index // EACH]
        assert (one.kind, series._sequence(one.truth)) == (kind, sequence)
        assert len(one.truth) == len(one.answers.probabilities) >= 13 * len(sequence)


def test_the_same_seed_draws_the_same_series(manifest: Manifest) -> None:
    held_out = answered(manifest.classes)
    one, same, other = (draw(manifest.classes, held_out, seed, each=1)[-1].answers for seed in (1, 1, 2))
    assert np.array_equal(one.probabilities, same.probabilities)
    assert not np.array_equal(one.probabilities[:9], other.probabilities[:9])


def test_a_model_that_is_surely_right_has_every_boundary_and_label(manifest: Manifest) -> None:
    rows = shown(manifest)
    for name in ("slices alone", "penalty 12", "penalty 1.5 √n"):
        assert rows[name] == rows["truth"]
    assert rows["majority"][3] == "0.0%"  # it knows one region only
    assert rows["12 all"] == rows["1.5 √n all"] == ["100.0%", "(100.0%)"] * 3


def test_together_slices_put_right_what_some_get_wrong(manifest: Manifest) -> None:
    rows = shown(manifest, wrong=2)
    alone, together = (percents(rows[name][:4]) for name in ("slices alone", "penalty 1.5 √n"))
    assert all(one < other for one, other in zip(alone, together, strict=True))


def test_three_slices_can_tell_several_regions_where_a_change_costs_by_their_number(manifest: Manifest) -> None:
    rows = shown(manifest)
    constant, by_root = percents([rows["12 3"][4], rows["1.5 √n 3"][4]])
    assert constant < 20
    assert by_root > 50
    assert rows["12 3"][:4] == rows["1.5 √n 3"][:4] == ["100.0%", "(100.0%)"] * 2


def test_without_a_held_out_companion_of_a_region_none_is_drawn(manifest: Manifest) -> None:
    with pytest.raises(DataError, match="no held-out companion of ChestCT"):
        draw(manifest.classes, answered(manifest.classes, without="ChestCT"), seed=0)


def test_without_companions_the_command_says_so(tmp_path: Path) -> None:
    done = run("training", "series", "--companions", "none", "--cache", tmp_path)
    assert done.returncode == 2
    assert done.stderr.endswith("error: Series are drawn from held-out companions, and there are none.\n")


@pytest.mark.real
def test_the_command_prints_how_the_committed_bundle_judges_series(real_data: Path, tmp_path: Path) -> None:
    done = run("training", "series", "--companions", real_data / "companions", "--cache", tmp_path)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in ("slices alone", "majority", "penalty 1.5 √n", "1.5 √n      3"))
