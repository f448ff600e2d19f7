"""`python -m app classify` killed, interrupted, and with a reader that dies."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
from pyarrow import parquet

from app.scoring.finding import find
from app.scoring.local import on_all_cores
from tests.app.scored import begin, classify, copies, rows
from tests.bundles import compiled
from tests.running import COMMITTED, wait_until

MANY = 3000  # pictures, which take longer than a second


@pytest.fixture
def many(tmp_path: Path, hand: bytes) -> Path:
    return copies(tmp_path / "many", hand, MANY)


def test_a_killed_run_loses_no_row_that_was_written(many: Path, artifacts: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    process = begin(many, out, artifacts / "current", "--workers", "1")
    wait_until(lambda: out.exists() and out.read_text().count("\n") > 200)
    process.kill()
    process.wait()
    torn = out.read_bytes()
    out.write_bytes(torn + b"/some/where/half,a ro")
    assert 200 < torn.count(b"\n") < MANY
    classify(many, out, artifacts / "current")
    assert len(rows(out)) == MANY
    assert out.read_bytes().startswith(torn)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_says_what_it_keeps(
    number: signal.Signals, code: int, many: Path, artifacts: Path, tmp_path: Path
) -> None:
    out, journal = tmp_path / "table.parquet", tmp_path / ".table.parquet.jsonl"
    process = begin(many, out, artifacts / "current")
    wait_until(lambda: journal.exists() and journal.stat().st_size > 0)
    process.send_signal(number)
    assert process.wait(60) == code
    kept = parquet.read_metadata(out).num_rows
    assert 0 < kept < MANY
    said = f"stopped: {kept:,} rows are kept in {out}; the same command goes on"
    assert (tmp_path / "log").read_text().splitlines()[-1] == said


def test_a_file_that_brings_its_reader_down_is_a_row(many: Path, artifacts: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    process = begin(many, out, artifacts / "current", "--workers", "2")
    killed: list[int] = []

    def a_reader_died() -> bool:
        children = _children(process.pid)
        if out.exists() and len(children) >= 2 and not killed:
            killed.append(children[-1])
            os.kill(children[-1], signal.SIGKILL)
        return bool(killed)

    wait_until(a_reader_died)
    assert process.wait(120) == 0, (tmp_path / "log").read_text()
    assert len(rows(out)) == MANY


def test_a_reader_that_dies_while_rows_are_written_costs_none(many: Path) -> None:
    files = [*find([str(many)])][:500]
    scoring = on_all_cores(compiled(COMMITTED), processes=1)(files)
    found = next(scoring)
    [reader] = multiprocessing.active_children()
    reader.kill()
    time.sleep(0.5)  # until its pool takes no more tasks
    found += [row for rows in scoring for row in rows]
    assert sorted(str(row["path"]) for row in found) == [file.name for file in files]


def _children(pid: int) -> list[int]:
    """Readers only: the resource tracker of multiprocessing comes first."""
    time.sleep(0.02)
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
