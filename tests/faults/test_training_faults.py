"""Trainings that are killed at any moment, and trainings that get in each other's way."""

import os
import random
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from app.model import bundle
from tests.running import run, start
from tests.training.test_training import options

PROCESS_1 = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]


def check_published(root: Path) -> list[str]:
    """The titles of all bundles that are listed or in use, every one of them sound."""
    titles = [bundle.read(found.folder).title for found in bundle.available(root)]
    assert (root / bundle.CURRENT).is_symlink() == bool(titles)
    assert not titles or bundle.read(root / bundle.CURRENT).title in titles
    return titles


@pytest.mark.slow
def test_a_training_killed_at_ten_random_moments_publishes_nothing_by_halves(data: Path, tmp_path: Path) -> None:
    root, moments, seed = tmp_path / "artifacts", random.Random(6), 0
    for _ in range(10):
        command = [*options(data, tmp_path), "--seed", str(seed)]
        process = start("training", *command, output=tmp_path / "log")
        with suppress(subprocess.TimeoutExpired):
            process.wait(moments.uniform(1, 9))  # unbroken it takes 8 to 10 s on two cores
        process.send_signal(signal.SIGKILL)
        seed += process.wait() == 0  # it was done already; the next one begins
        check_published(root)
    before = check_published(root)
    done = run("training", *options(data, tmp_path), "--seed", str(seed))
    assert done.returncode == 0, done.stderr
    assert len(check_published(root)) == len({*before, bundle.read(root / bundle.CURRENT).title}) == seed + 1


def test_two_trainings_at_once_both_publish(data: Path, tmp_path: Path) -> None:
    """As in two containers on one volume, where both are process 1."""
    within = PROCESS_1 if subprocess.run([*PROCESS_1, "true"], check=False).returncode == 0 else []
    both = [
        start("training", *options(data, tmp_path), "--seed", seed, output=tmp_path / seed, within=within)
        for seed in ("1", "2")
    ]
    assert [process.wait(120) for process in both] == [0, 0], (tmp_path / "1").read_text() + (
        tmp_path / "2"
    ).read_text()
    titles = check_published(tmp_path / "artifacts")
    assert len(titles) == 2
    assert sorted(os.listdir(tmp_path / "artifacts")) == sorted([bundle.CURRENT, *titles])
