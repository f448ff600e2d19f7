"""`python -m app classify`: folders and archives to a table, on real processes."""

import json
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pyarrow import Table, parquet

from tests.app.scored import classify, rows
from tests.dicoms import dicom
from tests.running import COMMITTED, run
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
    """A folder with each kind of table of the archive, and with a page."""
    folder = tmp_path_factory.mktemp("tables")
    classify(archive, folder / "table.csv", COMMITTED, "--report", folder / "page.html")
    for name in ("table.jsonl", "table.parquet"):
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
    assert found["ward/knee?.dcm"]["header_agrees"] == "false"
    assert (found["ward/knee?.dcm"]["header_modality"], found["ward/knee?.dcm"]["header_body_part"]) == ("CR", "KNEE")
    probabilities = [float(text) for name, text in found["hand.png"].items() if name.startswith("p_")]
    assert len(probabilities) == 6
    assert sum(probabilities) == pytest.approx(1, abs=1e-5)
    assert found["hand.png"]["sha256"] == found["oldest.tar.gz/hand.png"]["sha256"]


def test_the_three_kinds_of_table_say_the_same(tables: Path) -> None:
    as_csv = rows(tables / "table.csv")
    as_json = [json.loads(line) for line in (tables / "table.jsonl").read_text().splitlines()]
    as_parquet = parquet.read_table(tables / "table.parquet").to_pylist()
    for told in (as_json, as_parquet):
        assert {row["path"]: row["label"] for row in told} == {
            path: row["label"] or None for path, row in as_csv.items()
        }
        assert {type(row["header_agrees"]) for row in told} == {bool, type(None)}


def test_the_page_shows_what_a_person_should_check(archive: Path, tables: Path) -> None:
    page = (tables / "page.html").read_text()
    refused, wrong = "noise.png", "ward/knee?.dcm"
    assert page.count("<img") == page.count("data:image/png;base64,") == 2
    assert all(f"{archive}/{name}" in page for name in (refused, wrong))
    assert "http" not in page.replace("http-equiv", "")


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_a_table_is_gone_on_with_and_not_begun_again(name: str, archive: Path, tables: Path, tmp_path: Path) -> None:
    out = Path(shutil.copy(tables / name, tmp_path))
    (tmp_path / "late.png").write_bytes(HEAD)
    said = classify(archive, out, COMMITTED, tmp_path / "late.png")
    assert " 11 " in said.splitlines()[-1]
    assert name == "table.parquet" or out.read_bytes().startswith((tables / name).read_bytes())


def test_a_path_where_nothing_is_is_named_in_a_sentence(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    done = run("app", "classify", nowhere, "--out", tmp_path / "table.csv", "--bundle", COMMITTED)
    assert done.returncode == 2
    assert done.stderr.endswith(f"\nerror: Nothing is at {nowhere}.\n")


@pytest.mark.parametrize("name", ["strange.csv", "strange.jsonl", "strange.parquet"])
def test_a_table_of_somebody_else_is_left_as_it_was(name: str, archive: Path, tmp_path: Path) -> None:
    strange = tmp_path / name
    if name.endswith("parquet"):
        parquet.write_table(Table.from_pylist([{"a": 1}]), strange)
    else:
        strange.write_text('{"a": 1}\n{"a": 2}')  # without an end to its last line, as a torn one has
    before = strange.read_bytes()
    done = run("app", "classify", archive, "--out", strange, "--bundle", COMMITTED)
    assert done.returncode == 2
    assert f"{name} was made with another model, or is no such table" in done.stderr
    assert strange.read_bytes() == before
    assert [*tmp_path.iterdir()] == [strange]
