"""`python -m app classify`: folders and archives to a table, on real processes."""

import csv
import json
import os
import signal
import tarfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pyarrow import Table, parquet

from tests.conftest import KINDS
from tests.dicoms import dicom
from tests.running import COMMITTED, run, start, wait_until
from training import phantoms

RNG = np.random.default_rng(12345)
HAND, HEAD = (phantoms.png(phantoms.draw(kind, RNG)) for kind in ("Hand", "HeadCT"))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Seven things an archive holds, six of them in archives or folders of its own."""
    root = tmp_path / "archive"
    (root / "ward").mkdir(parents=True)
    (root / "hand.png").write_bytes(HAND)
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
    return root


def classify(archive: Path, out: Path, bundles: Path, *more: str | Path) -> dict[str, dict[str, str]]:
    """The rows of the CSV, by the path within the archive."""
    done = run("app", "classify", archive, "--out", out, "--bundle", bundles / "current", *more)
    assert done.returncode == 0, done.stderr
    return rows(out, archive)


def rows(table: Path, archive: Path) -> dict[str, dict[str, str]]:
    with table.open(newline="") as file:
        found = list(csv.DictReader(file))
    names = [row["path"].removeprefix(f"{archive}/") for row in found]
    assert len(set(names)) == len(names)
    return dict(zip(names, found, strict=True))


def test_everything_in_an_archive_gets_a_row(archive: Path, artifacts: Path, tmp_path: Path) -> None:
    found = classify(archive, tmp_path / "table.csv", artifacts)
    assert {name: row["label"] or row["error"] for name, row in found.items()} == {
        "hand.png": "Hand",
        "older.zip/1/head.png": "HeadCT",
        "oldest.tar.gz/hand.png": "Hand",
        "torn.zip": "The content is not a DICOM, JPEG, PNG, TIFF, BMP or WebP picture.",
        "ward/broken.png": "The PNG file is damaged or cut short.",
        "ward/knee?.dcm": "Hand",
        "ward/notes.txt": "The content is not a DICOM, JPEG, PNG, TIFF, BMP or WebP picture.",
    }
    assert found["ward/knee?.dcm"]["agrees"] == "false"
    assert (found["ward/knee?.dcm"]["modality"], found["ward/knee?.dcm"]["body_part"]) == ("CR", "KNEE")
    assert sum(float(found["hand.png"][f"p_{kind}"]) for kind in KINDS) == pytest.approx(1, abs=1e-5)
    assert found["hand.png"]["sha256"] == found["oldest.tar.gz/hand.png"]["sha256"]


def test_the_three_kinds_of_table_say_the_same(archive: Path, artifacts: Path, tmp_path: Path) -> None:
    as_csv = classify(archive, tmp_path / "table.csv", artifacts)
    for name in ("table.jsonl", "table.parquet"):
        done = run("app", "classify", archive, "--out", tmp_path / name, "--bundle", artifacts / "current")
        assert done.returncode == 0, done.stderr
    as_json = [json.loads(line) for line in (tmp_path / "table.jsonl").read_text().splitlines()]
    as_parquet = parquet.read_table(tmp_path / "table.parquet").to_pylist()
    for told in (as_json, as_parquet):
        assert {row["path"]: row["label"] for row in told} == {
            row["path"]: row["label"] or None for row in as_csv.values()
        }
        assert {type(row["agrees"]) for row in told} == {bool, type(None)}


def test_a_table_is_gone_on_with_and_not_begun_again(archive: Path, artifacts: Path, tmp_path: Path) -> None:
    for name in ("table.csv", "table.parquet"):
        out = tmp_path / name
        (archive / "late.png").unlink(missing_ok=True)
        assert run("app", "classify", archive, "--out", out, "--bundle", artifacts / "current").returncode == 0
        before = out.read_bytes()
        (archive / "late.png").write_bytes(HEAD)
        done = run("app", "classify", archive, "--out", out, "--bundle", artifacts / "current")
        assert done.returncode == 0, done.stderr
        assert " 8 " in done.stdout.splitlines()[-1]
        assert name == "table.parquet" or out.read_bytes().startswith(before)


def test_a_killed_run_loses_no_row_that_was_written(artifacts: Path, tmp_path: Path) -> None:
    archive, out = tmp_path / "many", tmp_path / "table.csv"
    archive.mkdir()
    for number in range(3000):
        (archive / f"{number:04}.png").write_bytes(HAND)
    options = (
        "app",
        "classify",
        str(archive),
        "--out",
        str(out),
        "--bundle",
        str(artifacts / "current"),
        "--workers",
        "1",
    )
    process = start(*options, output=tmp_path / "log")
    wait_until(lambda: out.exists() and out.read_text().count("\n") > 200)
    process.kill()
    process.wait()
    torn = out.read_bytes()
    out.write_bytes(torn + b"/some/where/half,a ro")
    assert 200 < torn.count(b"\n") < 3000
    assert len(classify(archive, out, artifacts)) == 3000
    assert out.read_bytes().startswith(torn)


def test_an_interrupted_run_says_so_and_leaves_a_table(artifacts: Path, tmp_path: Path) -> None:
    archive, out = tmp_path / "many", tmp_path / "table.parquet"
    archive.mkdir()
    for number in range(3000):
        (archive / f"{number:04}.png").write_bytes(HAND)
    process = start(
        "app", "classify", archive, "--out", out, "--bundle", artifacts / "current", output=tmp_path / "log"
    )
    wait_until(
        lambda: (tmp_path / ".table.parquet.jsonl").exists() and (tmp_path / ".table.parquet.jsonl").stat().st_size > 0
    )
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert 0 < parquet.read_metadata(out).num_rows < 3000


def test_a_file_that_brings_its_reader_down_is_a_row(archive: Path, artifacts: Path, tmp_path: Path) -> None:
    for number in range(2000):
        (archive / f"{number:04}.png").write_bytes(HAND)
    out = tmp_path / "table.csv"
    process = start(
        "app", "classify", archive, "--out", out, "--bundle", artifacts / "current", output=tmp_path / "log"
    )
    killed: list[int] = []

    def a_reader_died() -> bool:
        children = _children(process.pid)
        if out.exists() and len(children) >= 2 and not killed:
            killed.append(children[-1])
            os.kill(children[-1], signal.SIGKILL)
        return bool(killed)

    wait_until(a_reader_died)
    assert process.wait(120) == 0, (tmp_path / "log").read_text()
    assert len(rows(out, archive)) == 2007


def _children(pid: int) -> list[int]:
    """Readers only: the resource tracker of multiprocessing comes first."""
    time.sleep(0.02)
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def test_the_page_shows_what_a_person_should_check(archive: Path, tmp_path: Path) -> None:
    (archive / "noise.png").write_bytes(phantoms.png(RNG.integers(0, 256, (64, 64), dtype=np.uint8)))
    found = classify(archive, tmp_path / "table.csv", COMMITTED.parent, "--report", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    refused = [name for name, row in found.items() if row["accepted"] == "false"]
    wrong = [name for name, row in found.items() if row["agrees"] == "false"]
    assert page.count("<img") == page.count("data:image/png;base64,") == len(refused) + len(wrong)
    assert all(name in page for name in [*refused, *wrong])
    assert "http" not in page.replace("http-equiv", "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere", "--out", "t.csv"], "Nothing is at nowhere."),
        ([".", "--out", "t.xls"], "t.xls is no .csv, .jsonl or .parquet file."),
        ([".", "--out", "strange.csv"], "strange.csv was made with another model, or is no such table"),
    ],
)
def test_wrong_use_is_a_sentence(arguments: list[str], sentence: str, artifacts: Path, tmp_path: Path) -> None:
    (tmp_path / "strange.csv").write_text("a,b\n1,2\n")
    environment = {"PYTHONPATH": str(Path.cwd())}
    done = run("app", "classify", *arguments, "--bundle", artifacts / "current", cwd=tmp_path, **environment)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert (tmp_path / "strange.csv").read_text() == "a,b\n1,2\n"


@pytest.mark.parametrize("name", ["strange.csv", "strange.jsonl", "strange.parquet"])
def test_a_table_of_somebody_else_is_left_as_it_was(name: str, artifacts: Path, archive: Path) -> None:
    strange = archive / name
    if name.endswith("parquet"):
        parquet.write_table(Table.from_pylist([{"a": 1}]), strange)
    else:
        strange.write_text('{"a": 1}\n{"a": 2}')  # without an end to its last line, as a torn one has
    before = strange.read_bytes()
    done = run("app", "classify", archive, "--out", strange, "--bundle", artifacts / "current")
    assert done.returncode == 2
    assert f"{name} was made with another model, or is no such table" in done.stderr
    assert strange.read_bytes() == before
    assert not list(archive.glob(".*"))
