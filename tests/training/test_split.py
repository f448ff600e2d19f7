"""Splits: what goes where, and that nothing leaks."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from app.imaging import View, decode
from tests.conftest import KINDS
from tests.running import run
from training import DataError, datasets, phantoms, split
from training.datasets import Pictures

METHODS: tuple[split.Method, ...] = ("blocked", "random")


@pytest.fixture
def pictures(data: Path, tmp_path: Path) -> Pictures:
    """The phantoms, some of them repeated far from their first copy."""
    own = Path(shutil.copytree(data, tmp_path / "own"))
    for number in range(5):
        shutil.copy(own / f"Hand/{number * 10:06d}.png", own / f"Hand/{900 + number:06d}.png")
    return datasets.load(own, View(32), tmp_path / "cache")


@pytest.mark.parametrize("method", METHODS)
def test_every_class_is_split_eight_to_one_to_one_and_copies_stay_together(
    pictures: Pictures, method: split.Method
) -> None:
    assigned = split.make(pictures, method, seed=0).assigned
    for index in range(len(KINDS)):
        shares = [np.mean(assigned[pictures.labels == index] == name) for name in split.SPLITS]
        assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.08)
    for value in np.unique(pictures.hashes):
        assert len(set(assigned[pictures.hashes == value])) == 1


def test_a_blocked_split_keeps_neighbours_together_and_a_random_one_does_not(pictures: Pictures) -> None:
    first = pictures.labels == 0
    changes = {
        method: np.count_nonzero(assigned[1:] != assigned[:-1])
        for method in METHODS
        for assigned in [split.make(pictures, method, 0).assigned[first]]
    }
    assert changes["blocked"] <= 8
    assert changes["random"] > changes["blocked"]


def test_the_seed_decides(pictures: Pictures) -> None:
    one, again, two = (split.make(pictures, "blocked", seed).assigned for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, two)


def test_a_class_too_small_for_three_splits_is_an_error(data: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(data, tmp_path / "own"))
    for path in sorted((own / "Hand").iterdir())[2:]:
        path.unlink()
    with pytest.raises(DataError, match="Hand has too few"):
        split.make(datasets.load(own, View(32), tmp_path / "cache"), "blocked", 0)


@pytest.mark.parametrize("method", METHODS)
def test_the_command_lays_out_three_folders_that_share_nothing(data: Path, tmp_path: Path, method: str) -> None:
    out = tmp_path / "out"
    done = run("training", "split", "--data", data, "--split", method, "--out", out, "--cache", tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    seen = []
    for name in ("train_dir", "val_dir", "test_dir"):
        assert sorted(path.name for path in (out / name).iterdir()) == KINDS
        seen.append({decode(path.read_bytes()).pixels.tobytes() for path in (out / name).rglob("*.png")})
    assert sum(map(len, seen)) == len(set.union(*seen)) == 180
    with (out / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 180
    assert list(rows[0]) == ["path", "class", "split", "sha256"]
    assert all((out / f"{row['split']}_dir" / row["path"]).is_file() for row in rows)


def test_a_layout_is_never_written_over(data: Path, tmp_path: Path) -> None:
    (tmp_path / "val_dir").mkdir()
    done = run("training", "split", "--data", data, "--out", tmp_path, "--cache", tmp_path / "cache")
    assert done.returncode == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "val_dir"]


def test_phantoms_of_a_seed_are_always_the_same() -> None:
    one, two = (phantoms.draw("CXR", np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one, two)
