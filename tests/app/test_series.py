"""`classify --series`: one answer for each series, whatever order, folder and file its slices lie in."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app.model import bundle
from app.scoring.columns import SERIES_COLUMNS, columns
from tests.app.heap import write_heap
from tests.app.scored import classify, rows
from tests.app.slices import OTHER_STUDY, STUDY, hashed, own, series_rows
from tests.running import COMMITTED, run

HEAD, CHEST = "HEAD (69536005, SCT, Head)", "CHEST (816094009, SCT, Chest)"
TRUNK = "CHESTABDOMEN (416550000, SCT, Chest and Abdomen)"
NAMES = ["files", "judged", "errors", "label", "share", "ranges", "header_body_part", "header_agrees", "suggested"]
EXPECTED = {
    "one region": ("1.1", 6, 6, 0, "HeadCT", 1.0, "1–6 HeadCT", "HEAD", "true", HEAD),
    "another header": ("1.2", 4, 4, 0, "HeadCT", 1.0, "1–4 HeadCT", "CHEST", "false", HEAD),
    "a trunk": ("1.3", 12, 12, 0, "mixed", 1.0, "1–6 ChestCT, 7–12 AbdomenCT", "CHEST", "true", TRUNK),
    "a stranger": ("1.4", 4, 4, 0, "", 1.0, "1–4 none", "CHEST", "", ""),
    "by position": ("1.5", 6, 6, 0, "mixed", 1.0, "1–3 HeadCT, 4–6 ChestCT", "", "", ""),
    "by number": ("1.6", 6, 6, 0, "mixed", 1.0, "1–3 ChestCT, 4–6 HeadCT", "", "", ""),
    "by name": ("1.7", 6, 6, 0, "mixed", 1.0, "1–3 HeadCT, 4–6 ChestCT", "", "", ""),
    "not parallel": ("1.8", 6, 6, 0, "mixed", 1.0, "1–3 ChestCT, 4–6 HeadCT", "", "", ""),
    "one place for all": ("1.9", 6, 6, 0, "mixed", 1.0, "1–3 ChestCT, 4–6 HeadCT", "", "", ""),
    "a damaged slice": ("1.10", 7, 6, 1, "HeadCT", 1.0, "1–7 HeadCT", "", "", HEAD),
    "scattered": ("1.11", 6, 6, 0, "ChestCT", 1.0, "1–6 ChestCT", "", "", CHEST),
    "one slice": ("1.12", 1, 1, 0, "HeadCT", 1.0, "1 HeadCT", "", "", HEAD),
    "nothing to be read": ("1.13", 2, 0, 2, "", "", "", "", "", ""),
    "enhanced": ("1.20", 1, 6, 0, "mixed", 1.0, "1–3 HeadCT, 4–6 ChestCT", "", "", ""),
    "two enhanced": ("1.21", 2, 6, 0, "mixed", 1.0, "1–3 ChestCT, 4–6 HeadCT", "", "", ""),
    "frames without places": ("1.22", 1, 1, 0, "HeadCT", 1.0, "1 HeadCT", "", "", HEAD),
    "a damaged frame": ("1.23", 1, 1, 0, "HeadCT", 1.0, "1–6 HeadCT", "", "", HEAD),
}


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    write_heap(root := tmp_path_factory.mktemp("heap"))
    return root


@pytest.fixture(scope="module")
def out(heap: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with table.csv, series.csv, page.html, and what was said. Tests leave it as it was."""
    folder = tmp_path_factory.mktemp("out")
    done = classified(heap, folder / "table.csv", "--series", folder / "series.csv", "--report", folder / "page.html")
    (folder / "said").write_text(done.stdout + done.stderr)
    return folder


def classified(paths: Path, out: Path, *more: str | Path) -> subprocess.CompletedProcess[str]:
    return run("app", "classify", paths, "--out", out, "--bundle", COMMITTED, *more)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_series_is_judged_as_one(name: str, out: Path) -> None:
    series, *expected = EXPECTED[name]
    row = own(out / "series.csv", series)
    assert [row[each] for each in NAMES] == [*map(str, expected)]


def test_probabilities_are_means_over_the_slices(heap: Path, out: Path) -> None:
    row = own(out / "series.csv", "1.3")
    slices = [each for path, each in rows(out / "table.csv").items() if path.startswith(f"{heap}/trunk/")]
    means = {name: float(text) for name, text in row.items() if name.startswith("p_")}
    assert sum(means.values()) == pytest.approx(1, abs=1e-5)
    for name, mean in means.items():
        assert mean == pytest.approx(sum(float(each[name]) for each in slices) / len(slices), abs=1e-6)


def test_a_series_is_of_one_study_and_all_are_in_the_order_of_names(heap: Path, out: Path) -> None:
    found = series_rows(out / "series.csv")
    assert own(out / "series.csv", "1.1", OTHER_STUDY)["label"] == "ChestCT"
    assert len(found) == len(EXPECTED) + 1
    first: dict[object, str] = {}
    for path, row in sorted(rows(out / "table.csv").items()):
        if row["series"]:
            first.setdefault((row["study"], row["series"]), path)
    assert [*found] == [*first]


def test_what_says_no_series_is_in_none(heap: Path, out: Path) -> None:
    found = rows(out / "table.csv")
    others = {name: found[f"{heap}/others/{name}"] for name in ("unsaid", "dose", "report", "hand.png")}
    assert {name: row["series"] for name, row in others.items()} == dict.fromkeys(others, "")
    assert others["unsaid"]["study"] == hashed(STUDY)
    in_series = sum(int(row["files"]) for row in series_rows(out / "series.csv").values())
    assert in_series == len(found) - len(others)


def test_the_columns_are_those_of_the_help(out: Path) -> None:
    with (out / "series.csv").open() as file:
        names = file.readline().strip().split(",")
    assert names == [*columns(bundle.read(COMMITTED).manifest, SERIES_COLUMNS)]
    told = run("app", "classify", "--help").stdout
    for column in SERIES_COLUMNS:
        assert re.search(rf"^│ {re.escape(column.name)}  +{re.escape(column.meaning[:20])}", told, re.MULTILINE), column


def test_a_file_has_the_same_row_without(heap: Path, out: Path, tmp_path: Path) -> None:
    classify(heap, tmp_path / "table.csv", COMMITTED)
    alone, beside = rows(tmp_path / "table.csv"), rows(out / "table.csv")
    for path, row in alone.items():
        assert beside[path] | {"frame_answers": ""} == row


@pytest.mark.parametrize(("name", "workers"), [("table.csv", "1"), ("table.jsonl", "2"), ("table.parquet", "2")])
def test_it_is_the_same_from_any_kind_of_table_by_any_number_of_processes(
    name: str, workers: str, heap: Path, out: Path, tmp_path: Path
) -> None:
    classify(heap, tmp_path / name, COMMITTED, "--workers", workers, "--series", tmp_path / "series.csv")
    assert (tmp_path / "series.csv").read_bytes() == (out / "series.csv").read_bytes()


def test_it_is_made_from_the_rows_without_judging_anything(out: Path, tmp_path: Path) -> None:
    """Those of files that are gone, in another order."""
    head, *lines = (out / "table.csv").read_text().splitlines(keepends=True)
    (tmp_path / "table.csv").write_text("".join([head, *reversed(lines)]), newline="")
    (empty := tmp_path / "empty").mkdir()
    done = classified(empty, tmp_path / "table.csv", "--series", tmp_path / "series.csv")
    assert f"{tmp_path}/series.csv, {len(EXPECTED) + 1} series" in done.stdout
    assert (tmp_path / "series.csv").read_bytes() == (out / "series.csv").read_bytes()


def test_json_lines_say_the_same(heap: Path, out: Path, tmp_path: Path) -> None:
    table = shutil.copy(out / "table.csv", tmp_path)
    classify(heap, Path(table), COMMITTED, "--series", tmp_path / "series.jsonl")
    told = [json.loads(line) for line in (tmp_path / "series.jsonl").read_text().splitlines()]
    for row, as_csv in zip(told, series_rows(out / "series.csv").values(), strict=True):
        assert {name: "" if value is None else _cell(value) for name, value in row.items()} == as_csv


def _cell(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
