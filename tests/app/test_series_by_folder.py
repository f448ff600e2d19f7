"""`classify --series-by folder`: pictures that name no series, as those of their folder."""

from pathlib import Path

import pytest

from tests.app.scored import classify, rows
from tests.app.slices import drawn, placed, runs, series_rows
from tests.running import COMMITTED, run
from training import phantoms


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of JPEG and PNG, a DICOM without a series beside them, and one with."""
    root = tmp_path_factory.mktemp("plain")
    for name, kinds in (("hand", ["Hand"] * 9), ("mixed", runs(CXR=6, HeadCT=6)), ("noise", ["noise"] * 5)):
        (root / name).mkdir()
        for number, pixels in enumerate(drawn(kinds), start=1):
            (root / name / f"{number}.png").write_bytes(phantoms.png(pixels))
    (root / "hand" / "10.dcm").write_bytes(placed(drawn(["Hand"])[0], None, Modality="CR"))
    (root / "hand" / "other").write_bytes(placed(drawn(["HeadCT"])[0], "1.1"))
    (root / "hand" / "notes.txt").write_text("no picture")
    (root / "hand" / "torn.png").write_bytes(phantoms.png(drawn(["Hand"])[0])[:300])
    (root / "torn.zip").write_bytes(b"PK\3\4 and no more")
    return root


def test_without_a_series_files_are_in_none_unless_by_folder(plain: Path, tmp_path: Path) -> None:
    classify(plain, tmp_path / "table.csv", COMMITTED, "--series", tmp_path / "series.csv")
    assert len(series_rows(tmp_path / "series.csv")) == 1
    classify(plain, tmp_path / "table.csv", COMMITTED, "--series", tmp_path / "series.csv", "--series-by", "folder")
    assert by_folder(tmp_path, plain) == {
        "hand": ("11", "10", "1", "Hand", "1–11 Hand"),
        "mixed": ("12", "12", "0", "mixed", "1–6 CXR, 7–12 HeadCT"),
        "noise": ("5", "5", "0", "", "1–5 none"),
    }


def test_slices_of_a_folder_are_some_of_its_pictures(plain: Path, tmp_path: Path) -> None:
    tables = ("--series", tmp_path / "series.csv", "--series-by", "folder", "--slices", "4")
    classify(plain, tmp_path / "table.csv", COMMITTED, *tables)
    found = by_folder(tmp_path, plain)
    assert {name: row[:2] for name, row in found.items()} == {
        "hand": ("11", "4"),
        "mixed": ("12", "4"),
        "noise": ("5", "4"),
    }
    assert [row["suggested"] for (study, _), row in series_rows(tmp_path / "series.csv").items() if not study] == [
        ""
    ] * 3
    assert rows(tmp_path / "table.csv")[f"{plain}/hand/notes.txt"]["kind"] == "not a picture"


def by_folder(out: Path, root: Path) -> dict[str, tuple[str, ...]]:
    names = ("files", "judged", "errors", "label", "ranges")
    found = series_rows(out / "series.csv")
    return {
        series.removeprefix(f"{root}/"): tuple(row[name] for name in names)
        for (study, series), row in found.items()
        if not study
    }


def test_no_slices_are_not_to_be_had(plain: Path, tmp_path: Path) -> None:
    done = run("app", "classify", plain, "--out", tmp_path / "table.csv", "--slices", "0")
    assert done.returncode == 2
    assert not [*tmp_path.iterdir()]
