"""`classify --slices N`: some slices of each series, spread over it, and the rest passed over."""

import re
import shutil
import subprocess
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from tests.app.scored import classify, rows
from tests.app.slices import drawn, enhanced, own, placed, runs, series_rows, write_series
from tests.running import COMMITTED, run
from training import phantoms

SLICES = 4
TRUNK = runs(ChestCT=20, AbdomenCT=20)
TOLD = {  # of the heap: slices, how many were judged, and what they say
    "1.1": (40, 4, "HeadCT"),
    "1.2": (40, 4, "ChestCT"),
    "1.3": (3, 3, "HeadCT"),
    "1.4": (1, 4, "HeadCT"),
    "1.5": (2, 4, "ChestCT"),
    "1.6": (4, 2, ""),
}


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Series, long and short, enhanced and half damaged, and a picture without one. Tests leave it as it was."""
    root = tmp_path_factory.mktemp("heap")
    write_series(root / "head", runs(HeadCT=40), "1.1")
    write_series(root / "chest", runs(ChestCT=40), "1.2")
    write_series(root / "short", runs(HeadCT=3), "1.3")
    (root / "enhanced").mkdir()
    (root / "enhanced" / "one").write_bytes(enhanced(runs(HeadCT=30), "1.4", range(30)))
    for name, at in (("a", range(0, 30, 2)), ("b", range(1, 30, 2))):
        (root / "enhanced" / name).write_bytes(enhanced(runs(ChestCT=15), "1.5", at))
    write_series(root / "noise", ["noise"] * 4, "1.6")
    for name in ("IM1", "IM3"):
        (root / "noise" / name).write_bytes((root / "noise" / name).read_bytes()[:-2000])
    (root / "hand.png").write_bytes(phantoms.png(drawn(["Hand"])[0]))
    return root


@pytest.fixture(scope="module")
def out(heap: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with table.csv and series.csv, and what was said. Tests leave it as it was."""
    folder = tmp_path_factory.mktemp("out")
    (folder / "said").write_text(sampled(heap, folder).stdout)
    return folder


def sampled(paths: Path, folder: Path, *more: str | Path) -> subprocess.CompletedProcess[str]:
    """Tables of some slices, in a folder."""
    tables: list[str | Path] = ["--out", folder / "table.csv", "--series", folder / "series.csv"]
    done = run("app", "classify", paths, *tables, "--bundle", COMMITTED, "--slices", str(SLICES), *more)
    assert done.returncode == 0, done.stderr
    return done


def judged(table: Path, folder: Path) -> list[int]:
    """Which of the slices of a folder, by the numbers in their names."""
    found = [path for path, row in rows(table).items() if path.startswith(f"{folder}/") and row["kind"] == "picture"]
    return sorted(int(path.rsplit("IM")[1]) for path in found)


@pytest.mark.parametrize("series", TOLD)
def test_so_many_of_each_series_are_judged(series: str, out: Path) -> None:
    row, (files, judged, label) = own(out / "series.csv", series), TOLD[series]
    assert (row["files"], row["judged"], row["label"]) == (str(files), str(judged), label)


def test_they_are_spread_over_the_series(heap: Path, out: Path) -> None:
    assert judged(out / "table.csv", heap / "head") == [6, 16, 26, 36]
    assert own(out / "series.csv", "1.1")["ranges"] == "1–40 HeadCT"
    assert own(out / "series.csv", "1.5")["ranges"] == "1–30 ChestCT"


def test_the_others_have_a_row_that_says_so_and_kinds_add_up(heap: Path, out: Path) -> None:
    found = rows(out / "table.csv")
    kinds = Counter(row["kind"] for row in found.values())
    assert kinds == {"picture": 17, "not sampled": 72, "unreadable": 2}
    assert found[f"{heap}/hand.png"]["label"] == "Hand"
    for name, count in (("not sampled", 72), ("unreadable", 2), ("files", 91)):
        assert re.search(rf"^{name} +{count}$", (out / "said").read_text(), re.MULTILINE)
    passed_over = found[f"{heap}/head/IM1"]
    assert passed_over["series"] == found[f"{heap}/head/IM6"]["series"]
    assert {passed_over[name] for name in ("sha256", "label", "confidence", "p_HeadCT", "error")} == {""}
    assert (passed_over["slice_number"], passed_over["header_modality"], passed_over["rows"]) == ("1", "CT", "64")


def test_a_judged_file_has_the_row_it_has_by_itself(heap: Path, out: Path, tmp_path: Path) -> None:
    classify(heap, tmp_path / "table.csv", COMMITTED)
    alone = rows(tmp_path / "table.csv")
    for path, row in rows(out / "table.csv").items():
        if row["kind"] == "picture":
            assert row | {"frame_answers": ""} == alone[path]


def test_a_second_run_judges_nothing(heap: Path, out: Path, tmp_path: Path) -> None:
    for name in ("table.csv", "series.csv"):
        shutil.copy(out / name, tmp_path)
    done = sampled(heap, tmp_path)
    assert done.stderr == f"Nothing is left to do: every file has its row in {tmp_path}/table.csv.\n"
    for name in ("table.csv", "series.csv"):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes()


def test_a_slice_that_arrives_later_has_its_row_and_those_that_are_judged_stay(out: Path, tmp_path: Path) -> None:
    """At an end, where four judged stand for it, and in a series that has no four yet."""
    write_series(tmp_path / "in" / "long", runs(HeadCT=40), "1.1")
    write_series(tmp_path / "in" / "short", runs(HeadCT=3), "1.3")
    sampled(tmp_path / "in", tmp_path)
    before = rows(tmp_path / "table.csv")
    [late] = drawn(["HeadCT"])
    (tmp_path / "in" / "long" / "IM41").write_bytes(placed(late, "1.1", 41))
    (tmp_path / "in" / "short" / "IM4").write_bytes(placed(late, "1.3", 4))
    sampled(tmp_path / "in", tmp_path)
    after = rows(tmp_path / "table.csv")
    assert {path: after[path] for path in before} == before
    assert judged(tmp_path / "table.csv", tmp_path / "in" / "long") == [6, 16, 26, 36]
    assert judged(tmp_path / "table.csv", tmp_path / "in" / "short") == [1, 2, 3, 4]
    assert own(tmp_path / "series.csv", "1.1")["files"] == "41"


@pytest.mark.parametrize("name", ["heap.zip", "heap.tar", "heap.tar.gz"])
def test_from_an_archive_the_series_are_told_the_same(name: str, heap: Path, out: Path, tmp_path: Path) -> None:
    packed = tmp_path / name
    if name.endswith("zip"):
        with zipfile.ZipFile(packed, "w") as archive:
            for path in sorted(heap.rglob("*")):
                archive.write(path, path.relative_to(heap))
    else:
        with tarfile.open(packed, "w:gz" if name.endswith("gz") else "w") as archive:
            archive.add(heap, ".")
    sampled(packed, tmp_path)
    here, there = series_rows(out / "series.csv"), series_rows(tmp_path / "series.csv")
    assert here.keys() == there.keys()
    for series, row in here.items():
        alike = {"files", "judged", "errors", "label", "ranges"}
        assert {each: row[each] for each in alike} == {each: there[series][each] for each in alike}


def test_candidates_of_a_packed_archive_are_spread_too(tmp_path: Path) -> None:
    """Every eighth is kept of 40, of which those nearest to the middles of four shares are judged."""
    folder = write_series(tmp_path / "head", runs(HeadCT=40), "1.1")
    with tarfile.open(tmp_path / "head.tar.gz", "w:gz") as archive:
        for number in range(1, 41):
            archive.add(folder / f"IM{number}", f"IM{number}")
    sampled(tmp_path / "head.tar.gz", tmp_path)
    assert judged(tmp_path / "table.csv", tmp_path / "head.tar.gz") == [5, 17, 25, 37]
