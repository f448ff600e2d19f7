"""Every file that fuzzing found wanting, and those it begins with, once more; nothing may come of one but what is promised."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.judge import CRASHES, MOST_SECONDS, judge
from tests.fuzz.seeds import seeds
from tests.running import ROOT

START_SECONDS = 20  # of a process on a busy machine
FOUND = sorted(path for path in CRASHES.iterdir() if path.name != ".gitkeep")


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_what_fuzzing_found_is_mended(path: Path) -> None:
    """In a process of its own, since what is not mended may never end, or end the one it is in."""
    command = [sys.executable, "-m", "tests.fuzz.judge", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=START_SECONDS + MOST_SECONDS, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_what_fuzzing_begins_with_breaks_no_promise() -> None:
    files = seeds()
    assert len(files) >= 300
    for data in files.values():
        judge(data)
