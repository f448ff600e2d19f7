"""`classify --series` stopped or killed: after the same command the tables are those of an unbroken run."""

import signal
import tarfile
from pathlib import Path

import pytest

from tests.app.scored import begin, classify, rows
from tests.app.slices import drawn, placed, runs
from tests.running import COMMITTED, wait_until

SERIES, LONG = 10, 100
SLICES = 40  # of which a core is busy with them for a second


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Series of a hundred slices, of which no two are alike in one."""
    root = tmp_path_factory.mktemp("heap")
    pictures = drawn(runs(HeadCT=40, ChestCT=40, AbdomenCT=20))
    for series in range(SERIES):
        (root / f"{series}").mkdir()
        for number, pixels in enumerate(pictures):
            at = (number * 7) % LONG
            (root / f"{series}" / f"IM{at}").write_bytes(placed(pixels, f"1.{series}", number, InstanceNumber=at))
    return root


@pytest.fixture(scope="module", params=[[], ["--slices", str(SLICES)]], ids=["all", "some"])
def slices(request: pytest.FixtureRequest) -> list[str]:
    return [*request.param]


@pytest.fixture(scope="module")
def whole(heap: Path, slices: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tables of an unbroken run."""
    folder = tmp_path_factory.mktemp("whole")
    classify(heap, folder / "table.csv", COMMITTED, "--series", folder / "series.csv", *slices)
    return folder


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_the_same_command_ends_with_the_same_tables(
    number: signal.Signals, heap: Path, slices: list[str], whole: Path, tmp_path: Path
) -> None:
    out, series = tmp_path / "table.csv", tmp_path / "series.csv"
    for _ in range(2):
        process = begin(heap, out, COMMITTED, "--series", str(series), *slices)
        before = pictures(out)
        wait_until(lambda: pictures(out) > before or process.poll() is not None, 60)  # noqa: B023
        process.send_signal(number)
        assert process.wait(60) == (143 if number == signal.SIGTERM else -number), (tmp_path / "log").read_text()
    assert not series.exists()
    assert 0 < pictures(out) < pictures(whole / "table.csv")
    classify(heap, out, COMMITTED, "--series", series, *slices)
    assert rows(out) == rows(whole / "table.csv")
    assert series.read_bytes() == (whole / "series.csv").read_bytes()


@pytest.mark.parametrize("kept", [50, 150])
def test_from_a_packed_archive_the_same_slices_are_judged_wherever_it_stopped(
    kept: int, heap: Path, tmp_path: Path
) -> None:
    """Of which only some are candidates: 184 files have their rows as passed over, then come 16 that are judged."""
    with tarfile.open(tmp_path / "heap.tar.gz", "w:gz", compresslevel=1) as archive:
        for name in ("0", "1"):
            archive.add(heap / name, name)
    out, series = tmp_path / "table.csv", tmp_path / "series.csv"
    command = (tmp_path / "heap.tar.gz", out, COMMITTED, "--series", series, "--slices", "8")
    classify(*command)
    lines, whole, before = out.read_bytes().splitlines(keepends=True), rows(out), series.read_bytes()
    out.write_bytes(b"".join(lines[: 1 + kept]))
    classify(*command)
    assert rows(out) == whole
    assert series.read_bytes() == before


def pictures(table: Path) -> int:
    return table.read_text().count(",picture,") if table.exists() else 0
