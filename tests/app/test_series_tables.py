"""Beside `classify --series`: identifiers, the page, what is refused, and names, numbers and places of all kinds."""

import csv
import os
import re
import subprocess
import zipfile
from pathlib import Path

import pandas
import pytest

from tests.app.heap import write_heap
from tests.app.scored import classify, entries, rows
from tests.app.slices import STUDY, enhanced, hashed, own, runs, series_rows
from tests.hostile.elements import element, file
from tests.running import COMMITTED, run

UIDS = ["study_instance_uid", "series_instance_uid", "sop_instance_uid"]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with table.csv, series.csv and page.html of a heap, all that was said, and the same with UIDs under uids."""
    folder = tmp_path_factory.mktemp("told")
    (folder / "heap").mkdir()
    write_heap(folder / "heap")
    for place in (folder, folder / "uids"):
        place.mkdir(exist_ok=True)
        made: list[str | Path] = ["--series", place / "series.csv", "--report", place / "page.html"]
        done = classified(folder / "heap", place / "table.csv", *made, *["--uids"][: place != folder])
        (place / "said").write_text(done.stdout + done.stderr)
    return folder


def classified(paths: Path, out: Path, *more: str | Path) -> subprocess.CompletedProcess[str]:
    return run("app", "classify", paths, "--out", out, "--bundle", COMMITTED, *more)


def test_uids_are_in_the_tables_only_where_asked_for(told: Path) -> None:
    row = rows(told / "uids" / "table.csv")[f"{told}/heap/head/IM1"]
    assert [row[name] for name in UIDS] == [STUDY, "1.1", "1.1.1"]
    assert (row["study"], row["series"]) == (hashed(STUDY), hashed("1.1"))
    assert [own(told / "uids" / "series.csv", "1.1")[name] for name in UIDS[:2]] == [STUDY, "1.1"]
    for name in ("table.csv", "series.csv", "page.html", "said", "uids/page.html", "uids/said"):
        text = (told / name).read_text()
        assert STUDY not in text, name
        assert "_uid" not in text, name
    for name in ("page.html", "said"):
        assert hashed(STUDY) not in (told / name).read_text()


def test_but_for_the_uids_the_tables_are_the_same(told: Path) -> None:
    for name in ("table.csv", "series.csv"):
        lines = (told / "uids" / name).read_text().splitlines()
        assert [
            line.startswith(short) for line, short in zip(lines, (told / name).read_text().splitlines(), strict=True)
        ]


def test_the_page_lists_disagreements_then_the_mixed_then_the_refused(told: Path) -> None:
    found = entries(told / "page.html", "Series")
    labels = [entry.splitlines()[0] for entry in found]
    mixed = labels.count("mixed")
    assert len(found) == len(series_rows(told / "series.csv"))
    assert labels[0] == "HeadCT"
    assert labels[1 : 1 + mixed] == ["mixed"] * mixed
    assert {*labels[1 + mixed : 3 + mixed]} == {"none of the six", "not judged"}
    [disagreement, *_] = found
    assert disagreement.splitlines()[1:5] == [
        "4 files, 4 slices judged, 100 % of them say so",
        "1–4 HeadCT",
        "header: CT, CHEST",
        "should say HEAD (69536005, SCT, Head)",
    ]


def test_each_series_says_which_row_of_its_table_it_is(told: Path) -> None:
    with (told / "series.csv").open(newline="") as file:
        counts = {number: row["files"] for number, row in enumerate(csv.DictReader(file), start=2)}  # below the head
    found = entries(told / "page.html", "Series")
    said = [
        re.search(r"^([\d,]+) files.*^row (\d+) of series\.csv$", entry, re.MULTILINE | re.DOTALL) for entry in found
    ]
    assert sorted((int(each[2]), each[1]) for each in said if each) == [*counts.items()]
    assert '<a href="series.csv">' in (told / "page.html").read_text()


def test_how_many_series_there_are_is_said_at_the_end(told: Path) -> None:
    count = len(series_rows(told / "series.csv"))
    assert f"{told}/table.csv, " in (told / "said").read_text()
    assert f"; {told}/series.csv, {count} series; open {told}/page.html\n" in (told / "said").read_text()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("series.csv", "path,sha256,kind\n"),
        ("series.jsonl", "5\n"),
        ("series.jsonl", "[" * 100_000),
    ],
)
def test_a_file_of_somebody_else_is_not_written_over(name: str, content: str, told: Path, tmp_path: Path) -> None:
    (series := tmp_path / name).write_text(content)
    done = classified(told / "heap", tmp_path / "table.csv", "--series", series)
    said = f"error: {series} is no table of series made here; choose another --series.\n"
    assert (done.returncode, done.stderr, series.read_text()) == (2, said, content)
    assert [*tmp_path.iterdir()] == [series]


@pytest.mark.parametrize("name", ["series.txt", "series.parquet"])
def test_a_table_of_series_under_another_ending_is_refused(name: str, told: Path, tmp_path: Path) -> None:
    done = classified(told / "heap", tmp_path / "table.csv", "--series", tmp_path / name)
    assert (done.returncode, done.stderr) == (2, f"error: {tmp_path / name} is no .csv or .jsonl file.\n")


def test_the_table_of_files_is_no_place_for_that_of_series(told: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    done = classified(told / "heap", out, "--series", out)
    assert (done.returncode, done.stderr) == (2, "error: The table of series needs another name than that of files.\n")
    out.write_bytes((told / "table.csv").read_bytes())
    done = classified(told / "heap", out, "--series", out)
    assert done.returncode == 2
    assert out.read_bytes() == (told / "table.csv").read_bytes()


def test_a_table_with_uids_and_one_without_are_not_mixed(told: Path) -> None:
    before = (told / "uids" / "table.csv").read_bytes()
    without = classified(told / "heap", told / "uids" / "table.csv")
    assert without.stderr.endswith(
        f"{told}/uids/table.csv has a column {UIDS[0]} that does not belong there; choose another --out.\n"
    )
    assert (told / "uids" / "table.csv").read_bytes() == before
    beside = classified(told / "heap", told / "table.csv", "--uids")
    assert beside.stderr.endswith(f"{told}/table.csv has no column {UIDS[0]}; choose another --out.\n")


def test_a_folder_that_is_not_there_is_said_before_anything_is_judged(told: Path, tmp_path: Path) -> None:
    done = classified(told / "heap", tmp_path / "table.csv", "--series", tmp_path / "none" / "series.csv")
    assert (done.returncode, done.stderr) == (2, f"error: There is no folder {tmp_path / 'none'}.\n")
    assert not [*tmp_path.iterdir()]


def test_a_table_from_before_there_were_series_is_refused(told: Path, tmp_path: Path) -> None:
    old = pandas.read_csv(told / "table.csv").drop(columns=["suggested", "study", "series"])
    old.to_csv(tmp_path / "table.csv", index=False)
    done = classified(told / "heap", tmp_path / "table.csv", "--series", tmp_path / "series.csv")
    assert done.stderr.endswith("table.csv has no column suggested; choose another --out.\n")
    assert (done.returncode, [*tmp_path.iterdir()]) == (2, [tmp_path / "table.csv"])


def hand(series: bytes, position: bytes = b"", axes: bytes = b"", number: bytes = b"") -> bytes:
    """A DICOM with these values as they are, padded to even lengths."""
    said = {0x0020000E: (b"UI", series), 0x00200013: (b"IS", number)}
    said |= {0x00200032: (b"DS", position), 0x00200037: (b"DS", axes)}
    return file(*(element(tag, vr, value + b" " * (len(value) % 2)) for tag, (vr, value) in said.items() if value))


SERIES = [b"1.2 3", b"1.2\x003", b"9" * 1000, b"a,b", b"a\nb", b'a\r\nb;"x', b'="x"', b"1\\2", b"\xfc\x85x"]
POSITIONS = [b"nan\\0\\0", b"inf\\0\\0", b"abc\\0\\0", b"1\\2", b"1e308\\1e308\\1e308", b"1\\2\\3\\4"]
AXES = [b"0\\0\\0\\0\\0\\0", b"1\\0\\0", b"nan\\0\\0\\0\\1\\0", b"1e200\\0\\0\\0\\1e200\\0", b".6\\.6\\.6\\-.7\\.7\\0"]
NUMBERS = [b"1" + b"0" * 30, b"1e300", b"abc", b"-5", b"1.5", b"nan", b"inf", b"1\\2", b"9" * 5000]
NAMES = [b"a\nb", b"c\x1b[31m", b"d\x7f", b"\xff\xfe", b"01", b"1", b"0" * 200]


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_no_identifier_place_number_or_name_ends_a_run(name: str, tmp_path: Path) -> None:
    heap = tmp_path / "heap"
    heap.mkdir()
    strange = [hand(series) for series in SERIES]
    strange += [hand(b"1.2", position, axes) for position in POSITIONS for axes in (*AXES, b"1\\0\\0\\0\\1\\0")]
    strange += [hand(b"1.3", number=number) for number in NUMBERS]
    for index, data in enumerate(strange):
        (heap / f"{index}").write_bytes(data)
    for each in NAMES:
        Path(os.fsdecode(os.fsencode(heap) + b"/n" + each)).write_bytes(hand(b"1.4", b"0\\0\\0", b"1\\0\\0\\0\\1\\0"))
    with zipfile.ZipFile(heap / "z.zip", "w") as packed:
        for index in range(3):
            packed.writestr("1" * 5000 + f"{index}", hand(b"1.5"))
    table, series, again = tmp_path / name, tmp_path / "series.csv", tmp_path / "again.csv"
    classify(heap, table, COMMITTED, "--series", series, "--uids")
    found = series_rows(series)
    sizes = {own: int(row["judged"]) for (_, own), row in found.items()}
    many = {b"1.2": len(POSITIONS) * (len(AXES) + 1), b"1.3": len(NUMBERS), b"1.4": len(NAMES), b"1.5": 3}
    assert {own: count for own, count in sizes.items() if count > 1} == {
        hashed(each.decode()): count for each, count in many.items()
    }
    assert sum(sizes.values()) == len(strange) + len(NAMES) + 3
    assert {row["label"] for row in found.values()} == {"Hand"}
    assert not {"nan", "inf", "NaN", "Infinity"} & {*series.read_text().replace("\n", ",").split(",")}
    classify(heap, table, COMMITTED, "--series", again, "--uids")
    assert again.read_bytes() == series.read_bytes()


def test_a_long_enhanced_file_is_a_series(tmp_path: Path) -> None:
    kinds = runs(HeadCT=1000, ChestCT=2000)
    (tmp_path / "long").write_bytes(enhanced(kinds, "1.1", range(3000)))
    for slices, judged in (([], 3000), (["--slices", "9"], 9)):
        out = tmp_path / f"{judged}.csv"
        classify(tmp_path / "long", out, COMMITTED, "--series", tmp_path / "series.csv", *slices)
        row = own(tmp_path / "series.csv", "1.1")
        assert (row["files"], row["judged"], row["label"]) == ("1", str(judged), "mixed")
        assert row["ranges"] == "1–1000 HeadCT, 1001–3000 ChestCT"
