"""Trainings that are killed at any moment, and trainings that get in each other's way."""

import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from app.model import bundle
from tests.app.test_bundle import publish
from tests.conftest import options
from tests.running import ROOT, run, start

pytestmark = pytest.mark.slow

PROCESS_1 = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
SWITCHING = """
import sys, pathlib
from app.model import bundle
for _ in range(200):
    bundle.use(pathlib.Path(sys.argv[1]), sys.argv[2])
"""


def check_published(root: Path) -> list[str]:
    """The titles of all bundles that are listed or in use, every one of them sound."""
    titles = [bundle.read(found.folder).title for found in bundle.available(root)]
    if (root / bundle.CURRENT).is_symlink():  # a first bundle may be published and not in use yet
        assert bundle.read(root / bundle.CURRENT).title in titles
    return titles


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
    done = run("training", *options(data, tmp_path), "--seed", str(seed))
    assert done.returncode == 0, done.stderr
    assert (root / bundle.CURRENT).is_symlink()
    assert len(check_published(root)) > seed  # one more for each that was killed between publishing and its end


@pytest.fixture
def contained() -> list[str]:
    """What a command stands behind to be process 1, as in a container."""
    if subprocess.run([*PROCESS_1, "true"], check=False).returncode:
        pytest.skip("no process can be made process 1 here")
    return PROCESS_1


def test_two_trainings_at_once_both_publish(data: Path, tmp_path: Path, contained: list[str]) -> None:
    """As in two containers on one volume."""
    both = [
        start("training", *options(data, tmp_path), "--seed", seed, output=tmp_path / seed, within=contained)
        for seed in ("1", "2")
    ]
    codes = [process.wait(120) for process in both]
    assert codes == [0, 0], (tmp_path / "1").read_text() + (tmp_path / "2").read_text()
    titles = check_published(tmp_path / "artifacts")
    assert len(titles) == 2
    assert {path.name for path in (tmp_path / "artifacts").iterdir()} == {bundle.CURRENT, *titles}


def test_several_that_switch_at_once_do_not_disturb_each_other(tmp_path: Path, contained: list[str]) -> None:
    versions = [publish(tmp_path, content).manifest.version for content in ("one", "two")]
    command = [*contained, sys.executable, "-c", SWITCHING, str(tmp_path)]
    several = [subprocess.Popen([*command, version], cwd=ROOT) for version in versions * 2]
    assert [process.wait(60) for process in several] == [0] * 4
    assert len(check_published(tmp_path)) == 2
    assert len(list(tmp_path.iterdir())) == 3
