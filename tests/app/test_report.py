"""What `classify` tells a person at its end and on the page of `--report`."""

import re
from pathlib import Path

import numpy as np
import pytest
from pydicom import uid

from app.imaging import Pixels
from app.model.bundle import read
from app.scoring.columns import Row, columns
from app.scoring.table import Table
from tests.app.scored import as_read, classify, entries, rows
from tests.dicoms import dicom
from tests.running import COMMITTED
from training import phantoms

BUNDLE = read(COMMITTED)
RNG = np.random.default_rng(12345)
HAND = phantoms.draw("Hand", RNG)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, copies of them, DICOM files whose headers agree or not, and what is no picture."""
    root = tmp_path_factory.mktemp("pictures")
    headers = {"knee": ("CR", "KNEE"), "ct": ("CT", "HAND"), "cr": ("CR", "HAND"), "silent": ("CR", None)}
    for seed, (name, (modality, body_part)) in enumerate(headers.items()):
        pixels = phantoms.draw("Hand", np.random.default_rng(seed))
        (root / f"{name}.dcm").write_bytes(dicom(pixels, Modality=modality, BodyPartExamined=body_part))
    for name in ("a<b>&c.png", "copy.png"):
        (root / name).write_bytes(phantoms.png(HAND))
    for name, pixels in _strangers().items():
        (root / name).write_bytes(phantoms.png(pixels))
    (root / "report.dcm").write_bytes(dicom(HAND, SOPClassUID=uid.BasicTextSRStorage, PixelData=None, Rows=None))
    (root / "notes.txt").write_text("no picture")
    (root / "broken.png").write_bytes(phantoms.png(HAND)[:300])
    return root


@pytest.fixture(scope="module")
def told(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What the terminal says, and the folder with page and table."""
    out = tmp_path_factory.mktemp("out")
    return classify(folder, out / "table.csv", COMMITTED, "--report", out / "page.html", COLUMNS="80"), out


def test_what_adds_up_stands_apart_from_what_overlaps(told: tuple[str, Path]) -> None:
    terminal, page = told[0], as_read((told[1] / "page.html").read_text())
    counts = {"Hand": 6, "none of the six": 4, "not a picture": 1, "DICOM without pixels": 1, "unreadable": 1}
    for name, count in (counts | {"files": sum(counts.values())}).items():
        assert re.search(rf"^ *{name} +{count} *$", terminal, re.MULTILINE)
        assert f"\n{name} {count}\n" in page
    for sentence in (
        "DICOM headers: 3 of 4 compared; region differs in 1, only modality in 1.",
        "Copies of another picture: 1; groups of the same content: 1.",
    ):
        assert sentence in terminal
        assert sentence in page
    assert re.search(r"^ *1 +The PNG file is damaged or cut short\. *$", terminal, re.MULTILINE)
    assert "\nThe PNG file is damaged or cut short.\n1 file\n" in page
    assert max(map(len, terminal.splitlines()[:-1])) <= 80  # the last names table and page


def test_a_disagreement_says_whether_it_is_in_the_region(folder: Path, told: tuple[str, Path]) -> None:
    knee, ct = entries(told[1] / "page.html", "The header disagrees")
    assert f"header: CR, KNEE\nthe region does not agree\n{folder}/knee.dcm" in knee
    assert f"header: CT, HAND\nthe region agrees, the modality does not\n{folder}/ct.dcm" in ct


def test_the_refused_come_nearest_first_with_their_nearest_class(told: tuple[str, Path]) -> None:
    strangers = [row for row in rows(told[1] / "table.csv").values() if row["accepted"] == "false"]
    found = entries(told[1] / "page.html", "None of the six")
    for row, entry in zip(sorted(strangers, key=lambda row: float(row["ood_score"])), found, strict=True):
        nearest = max(BUNDLE.manifest.classes, key=lambda name: float(row[f"p_{name}"]))
        percent = f"{100 * float(row['confidence']):.1f} %".replace("100.0 %", "> 99.9 %")
        said = [
            "none of the six",
            f"nearest: {nearest} {percent}",
            f"strangeness {float(row['ood_score']):.3f}",
            row["path"],
        ]
        assert entry.splitlines()[:-1] == said


def test_copies_are_shown_together(folder: Path, told: tuple[str, Path]) -> None:
    [entry] = entries(told[1] / "page.html", "Copies")
    first, other = (f"{folder}/{name}\nROW" for name in ("a<b>&c.png", "copy.png"))
    assert re.sub(r"row \d+ of table\.csv", "ROW", entry) == f"2 files\n{first}\n1 more\n{other}"


@pytest.mark.parametrize(("ending", "first"), [("csv", 2), ("jsonl", 1), ("parquet", None)])
def test_each_file_says_which_row_of_the_table_it_has(
    ending: str, first: int | None, folder: Path, tmp_path: Path
) -> None:
    """As a spreadsheet or an editor counts; readers of Parquet do not agree. The table is one that a kill has cut."""
    out, page = tmp_path / f"table.{ending}", tmp_path / "page.html"
    classify(folder / "knee.dcm", out, COMMITTED)
    if first:
        with out.open("a") as file:
            file.write('"/an/unfinished, row')
    classify(folder, out, COMMITTED, "--workers", "2", "--report", page)
    paths = [str(row["path"]) for row in Table(out, BUNDLE).rows()]
    found = dict(re.findall(r"^(/.*)\n(.* table\.\w+)$", as_read(page.read_text()), re.MULTILINE))
    assert len(found) == 9
    for path, said in found.items():
        noun = "row" if ending == "csv" else "line"
        assert said == (f"{noun} {paths.index(path) + first} of {out.name}" if first else f"in {out.name}")
    if first:  # what is counted is what stands there
        lines = out.read_text().splitlines()
        assert all(f"{path}" in lines[int(said.split()[1]) - 1].replace('""', '"') for path, said in found.items())


def test_the_page_needs_nothing_else_and_names_where_it_comes_from(folder: Path, told: tuple[str, Path]) -> None:
    page = (told[1] / "page.html").read_text()
    assert page.count("<img") == page.count('src="data:image/png;base64,') == 7
    assert "://" not in page
    assert "<b>" not in page
    assert f'<a href="table.csv">{told[1]}/table.csv</a>' in page
    assert f"{folder}" in page
    assert BUNDLE.title in page
    assert "100.0&nbsp;%" not in page


def test_what_is_shown_of_many_says_how_many_there_are(tmp_path: Path) -> None:
    """A table gone on with, whose files are long gone."""
    for name in ("empty", "sub"):
        (tmp_path / name).mkdir()
    with Table(tmp_path / "sub" / "a table.csv", BUNDLE) as table:
        table.append([_picture(number, label="Hand", confidence=0.5 + number / 10_000) for number in range(1000)])
        table.append([_picture(number, label="Hand", sha256="f" * 64) for number in range(1000, 1050)])
        table.append([_row(f"{number}.png", kind="unreadable", error="[Torn]") for number in range(30)])
    said = classify(tmp_path / "empty", table.path, COMMITTED, "--report", tmp_path / "page.html")
    page = as_read((tmp_path / "page.html").read_text())
    assert "Accepted with a confidence below 95 %: 1,000." in said
    assert "Copies of another picture: 49; groups of the same content: 1." in said
    assert "30  [Torn]" in said
    weak = entries(tmp_path / "page.html", "Accepted with little confidence")
    assert weak[0] == "Hand 50.0 %\n0.png\nrow 2 of a table.csv"
    assert [entry.splitlines()[1] for entry in weak] == [f"{number}.png" for number in range(300)]
    assert "The first 300 of 1,000; the table has all." in page
    assert "The first 20 of 50; the table has all." in page
    assert "The first 20 of 30; the table has all." in page
    assert 'href="sub/a%20table.csv"' in (tmp_path / "page.html").read_text()


def _strangers() -> dict[str, Pixels]:
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
    noise = RNG.integers(0, 256, (64, 64), np.uint8)
    return {"white.png": np.full((64, 64), 255, np.uint8), "noise.png": noise, "ramp.png": ramp, "dark.png": noise // 4}


def _row(path: str, **fields: str | float | bool | None) -> Row:
    return dict.fromkeys(columns(BUNDLE.manifest)) | {"path": path, "model": BUNDLE.title} | fields


def _picture(number: int, **fields: str | float | bool | None) -> Row:
    judged: Row = {"kind": "picture", "sha256": f"{number:016x}{0:048x}", "accepted": True, "confidence": 1.0}
    return _row(f"{number}.png", **judged | fields)
