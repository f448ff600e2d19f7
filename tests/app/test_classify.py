"""`python -m app classify`: folders and archives to a table, on real processes."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pandas
import pytest
from pyarrow import Table, parquet

from app.model import bundle
from app.scoring.columns import COLUMNS, columns
from tests.app.scored import classify, rows
from tests.dicoms import dicom
from tests.running import COMMITTED, ROOT, run
from training import phantoms

RNG = np.random.default_rng(12345)
HAND, HEAD, NOISE = (
    phantoms.png(pixels)
    for pixels in (*(phantoms.draw(kind, RNG) for kind in ("Hand", "HeadCT")), RNG.integers(0, 256, (64, 64), np.uint8))
)
NO_PICTURE = "The content is not a DICOM, JPEG, PNG, TIFF, BMP or WebP picture."


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten things an archive holds, five of them in archives of its own. Tests leave it as it was."""
    root = tmp_path_factory.mktemp("archive")
    (root / "ward").mkdir()
    (root / "hand.png").write_bytes(HAND)
    (root / "noise.png").write_bytes(NOISE)
    (root / "ward" / "knee?.dcm").write_bytes(
        dicom(phantoms.draw("Hand", np.random.default_rng(1)), Modality="CR", BodyPartExamined="KNEE")
    )
    (root / "ward" / "notes.txt").write_text("no picture")
    (root / "ward" / "broken.png").write_bytes(HAND[:300])
    with zipfile.ZipFile(root / "older.zip", "w") as packed:
        packed.writestr("1/head.png", HEAD)
    with tarfile.open(root / "oldest.tar.gz", "w:gz") as packed:
        packed.add(root / "hand.png", "hand.png")
    (root / "torn.zip").write_bytes(b"PK\3\4 and no more")
    with tarfile.open(root / "torn.tar", "w") as packed:
        packed.add(root / "hand.png", "1.png")
        packed.add(root / "hand.png", "2.png")
    os.truncate(root / "torn.tar", len(HAND) + 2048)  # the first member is whole
    return root


@pytest.fixture(scope="module")
def tables(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with each kind of table of the archive."""
    folder = tmp_path_factory.mktemp("tables")
    for name in ("table.csv", "table.jsonl", "table.parquet"):
        classify(archive, folder / name, COMMITTED)
    return folder


def test_everything_in_an_archive_gets_a_row(archive: Path, tables: Path) -> None:
    found = {path.removeprefix(f"{archive}/"): row for path, row in rows(tables / "table.csv").items()}
    assert {name: row["label"] or row["error"] for name, row in found.items()} == {
        "hand.png": "Hand",
        "noise.png": "",
        "older.zip/1/head.png": "HeadCT",
        "oldest.tar.gz/hand.png": "Hand",
        "torn.tar": "The archive is damaged or cut short.",
        "torn.tar/1.png": "Hand",
        "torn.zip": "The archive is damaged or cut short.",
        "ward/broken.png": "The PNG file is damaged or cut short.",
        "ward/knee?.dcm": "Hand",
        "ward/notes.txt": NO_PICTURE,
    }
    assert {name: row["kind"] for name, row in found.items() if not row["label"]} == {
        "noise.png": "picture",
        "torn.tar": "unreadable",
        "torn.zip": "unreadable",
        "ward/broken.png": "unreadable",
        "ward/notes.txt": "not a picture",
    }
    assert {(row["rows"], row["columns"], row["frames"]) for row in found.values() if row["kind"] == "picture"} == {
        ("64", "64", "1")
    }
    assert found["ward/knee?.dcm"]["header_agrees"] == "false"
    assert (found["ward/knee?.dcm"]["header_modality"], found["ward/knee?.dcm"]["header_body_part"]) == ("CR", "KNEE")
    probabilities = [float(text) for name, text in found["hand.png"].items() if name.startswith("p_")]
    assert len(probabilities) == 6
    assert sum(probabilities) == pytest.approx(1, abs=1e-5)
    assert found["hand.png"]["sha256"] == found["oldest.tar.gz/hand.png"]["sha256"]


def test_a_dicom_cut_short_still_has_what_its_header_says(tmp_path: Path) -> None:
    whole = dicom(
        phantoms.draw("HeadCT", np.random.default_rng(1)),
        Modality="CT",
        BodyPartExamined="HEAD",
        SeriesInstanceUID="1.2.3",
    )
    (tmp_path / "cut.dcm").write_bytes(whole[:-4000])
    classify(tmp_path / "cut.dcm", tmp_path / "table.csv", COMMITTED)
    [row] = rows(tmp_path / "table.csv").values()
    assert (row["kind"], row["label"], row["header_modality"], row["header_body_part"], row["rows"]) == (
        *("unreadable", "", "CT", "HEAD", "64"),
    )


def test_the_three_kinds_of_table_say_the_same(tables: Path) -> None:
    as_csv = rows(tables / "table.csv")
    as_json = [json.loads(line) for line in (tables / "table.jsonl").read_text().splitlines()]
    as_parquet = parquet.read_table(tables / "table.parquet").to_pylist()
    for told in (as_json, as_parquet):
        assert {row["path"]: row["label"] for row in told} == {
            path: row["label"] or None for path, row in as_csv.items()
        }
        assert {type(row["header_agrees"]) for row in told} == {bool, type(None)}


def test_pandas_finds_booleans_and_whole_numbers_where_values_are_missing(tables: Path) -> None:
    read = {
        "csv": pandas.read_csv(tables / "table.csv").convert_dtypes(),
        "jsonl": pandas.read_json(tables / "table.jsonl", lines=True, dtype=False).convert_dtypes(),
        "parquet": pandas.read_parquet(tables / "table.parquet"),
    }
    for table in read.values():
        assert [*table.columns] == [*columns(bundle.read(COMMITTED).manifest)]
        kinds = dict(table.dtypes.astype(str))
        assert [kinds[name] for name in ("accepted", "header_agrees")] == ["boolean"] * 2
        assert [kinds[name] for name in ("rows", "columns", "frames")] == ["Int64"] * 3
        assert [*table.set_index("kind").loc["not a picture", ["accepted", "rows"]].isna()] == [True, True]


def test_the_help_describes_each_column_on_a_terminal_of_80(archive: Path) -> None:
    told = run("app", "classify", "--help", COLUMNS="80").stdout
    assert max(map(len, told.splitlines())) <= 80
    for column in COLUMNS:
        assert re.search(rf"^│ {re.escape(column.name)}  +{re.escape(column.meaning[:20])}", told, re.MULTILINE), column


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_a_table_is_gone_on_with_and_not_begun_again(name: str, archive: Path, tables: Path, tmp_path: Path) -> None:
    out = Path(shutil.copy(tables / name, tmp_path))
    (tmp_path / "late.png").write_bytes(HEAD)
    page = tmp_path / "page.html"
    done = classified(archive, tmp_path / "late.png", "--out", out, "--report", page)
    assert done.stdout.splitlines()[-1] == f"{out}, 11 rows; open {page}"
    assert f"{out} has 10 rows; 1 file to do.\n" in done.stderr
    assert " 1/1 " in done.stderr
    assert name == "table.parquet" or out.read_bytes().startswith((tables / name).read_bytes())


def test_where_nothing_is_left_to_do_a_sentence_says_so(archive: Path, tables: Path) -> None:
    done = classified(archive, "--out", tables / "table.csv")
    assert done.stderr == f"Nothing is left to do: every file has its row in {tables / 'table.csv'}.\n"
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, f"{tables / 'table.csv'}, 10 rows")


def test_an_empty_folder_is_said_and_gives_a_table_of_no_rows(tmp_path: Path) -> None:
    (empty := tmp_path / "empty").mkdir()
    done = classified(empty, "--out", tmp_path / "table.csv")
    assert (done.returncode, done.stderr) == (0, f"There are no files at {empty}.\n")
    assert (tmp_path / "table.csv").read_text().startswith("path,sha256,kind,label,")
    assert not rows(tmp_path / "table.csv")


def test_a_path_where_nothing_is_is_named_in_a_sentence_and_no_table_begun(tmp_path: Path) -> None:
    done = classified(nowhere := tmp_path / "nowhere", "--out", tmp_path / "table.csv")
    assert (done.returncode, done.stderr) == (2, f"error: Nothing is at {nowhere}.\n")
    assert not [*tmp_path.iterdir()]


def test_a_page_under_another_ending_is_refused(archive: Path, tmp_path: Path) -> None:
    done = classified(archive, "--out", tmp_path / "table.csv", "--report", "page.txt")
    assert (done.returncode, done.stderr) == (2, "error: page.txt is no .html or .htm file.\n")


def test_without_pyarrow_it_says_how_to_get_it(archive: Path) -> None:
    code = "import sys; sys.modules['pyarrow'] = None; from app.commands import main; main()"
    command = [sys.executable, "-c", code, "classify", str(archive), "--out", "t.parquet", "--bundle", str(COMMITTED)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    said = f"error: Parquet needs pyarrow: {sys.executable} -m pip install pyarrow\n"
    assert (done.returncode, done.stderr) == (2, said)


@pytest.mark.parametrize("name", ["strange.csv", "strange.jsonl", "strange.parquet"])
def test_a_table_of_somebody_else_is_left_as_it_was(name: str, archive: Path, tmp_path: Path) -> None:
    strange = tmp_path / name
    if name.endswith("parquet"):
        parquet.write_table(Table.from_pylist([{"a": 1}]), strange)
    else:
        strange.write_text('{"a": 1}\n{"a": 2}')  # without an end to its last line, as a torn one has
    before = strange.read_bytes()
    done = classified(archive, "--out", strange)
    assert (done.returncode, done.stderr) == (2, f"error: {strange} has no column path; choose another --out.\n")
    assert strange.read_bytes() == before
    assert [*tmp_path.iterdir()] == [strange]


@pytest.mark.parametrize("name", ["table.csv", "table.jsonl", "table.parquet"])
@pytest.mark.parametrize("of_an_older", ["version", "model"])
def test_a_table_of_an_older_version_or_model_is_refused(
    of_an_older: str, name: str, archive: Path, tables: Path, tmp_path: Path
) -> None:
    title = bundle.read(COMMITTED).title
    older, changes = {
        "version": ("has no column header_modality", {"header_modality": "modality"}),
        "model": (f"was made with mednist-000, not with {title}", {title: "mednist-000"}),
    }[of_an_older]
    out = tmp_path / name
    text = (tables / ("table.jsonl" if name.endswith("parquet") else name)).read_text()
    for new, old in changes.items():
        text = text.replace(new, old)
    if name.endswith("parquet"):
        parquet.write_table(Table.from_pylist(list(map(json.loads, text.splitlines()))), out)
    else:
        out.write_text(text)
    done = classified(archive, "--out", out)
    assert (done.returncode, done.stderr) == (2, f"error: {out} {older}; choose another --out.\n")


def classified(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run("app", "classify", *arguments, "--bundle", COMMITTED)
