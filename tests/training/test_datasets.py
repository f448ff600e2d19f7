"""What is found in a folder of pictures, what is said about it, and the cache."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from app import imaging
from app.imaging import View, decode, read_input, to_input
from tests.conftest import KINDS
from tests.dicoms import dicom
from tests.running import run
from training import DataError, datasets, external, phantoms


@pytest.fixture
def own(data: Path, tmp_path: Path) -> Path:
    """A copy of the data that a test may spoil."""
    return Path(shutil.copytree(data, tmp_path / "own"))


def test_pictures_are_what_the_service_would_see(data: Path, tmp_path: Path) -> None:
    pictures = datasets.load(data, View(32), tmp_path)
    assert pictures.classes == KINDS
    assert len(pictures.labels) == 180
    for row in (0, 100, 179):
        seen = to_input(decode((data / pictures.paths[row]).read_bytes()), 32)
        assert np.array_equal(pictures.inputs[row], seen)


def test_files_stay_in_the_order_of_their_numbers(own: Path, tmp_path: Path) -> None:
    for path in (own / "Hand").iterdir():
        path.rename(path.with_name(f"{int(path.stem)}.png"))
    pictures = datasets.load(own, View(32), tmp_path / "cache")
    assert [path for path in pictures.paths if "Hand" in path] == [f"Hand/{number}.png" for number in range(60)]


def test_the_report_counts_classes_kinds_and_duplicates(own: Path, tmp_path: Path) -> None:
    shutil.copy(own / "Hand/000000.png", own / "Hand/000060.png")
    shutil.copy(own / "Hand/000001.png", own / "HeadCT/000060.png")
    (own / "Hand/000061.png").write_text("no picture")
    report = list(datasets.load(own, View(32), tmp_path / "cache").report())
    assert report[1] == "Hand: 61 pictures"
    assert "182 are PNG L 64×64" in report
    assert "2 are exact duplicates of another" in report
    assert "warning: 1 pictures stand in more than one class" in report
    assert any(line.startswith("left out: Hand/000061.png (The content") for line in report)


def test_a_changed_file_is_decoded_again_and_a_corrupt_cache_is_rebuilt(own: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = datasets.load(own, View(32), cache)
    (own / "Hand/000000.png").write_bytes(phantoms.png(np.full((64, 64), 200, np.uint8)))
    second = datasets.load(own, View(32), cache)
    assert not np.array_equal(first.inputs, second.inputs)
    for stored in cache.glob("*.npz"):
        stored.write_bytes(stored.read_bytes()[:-500])
    assert np.array_equal(datasets.load(own, View(32), cache).inputs, second.inputs)


def test_more_than_one_unreadable_file_in_a_hundred_is_an_error(own: Path, tmp_path: Path) -> None:
    for number in range(2):
        (own / f"Hand/bad{number}.png").write_text("no picture")
    with pytest.raises(DataError, match=r"2 of 182 files cannot be read"):
        datasets.load(own, View(32), tmp_path / "cache")


@pytest.mark.parametrize("arguments", [["--nope"], ["split"], ["evaluate", "--bundle"]])
def test_wrong_use_is_one_sentence_and_code_2(arguments: list[str]) -> None:
    done = run("training", *arguments)
    assert done.returncode == 2
    assert re.fullmatch(r"error: .*--.*\n", done.stderr)


def test_data_that_cannot_train_is_one_sentence_and_code_2(tmp_path: Path, data: Path) -> None:
    (tmp_path / "nothing").mkdir()
    shutil.copytree(data / "Hand", tmp_path / "one class" / "Hand")
    shutil.copytree(data / "Hand", tmp_path / "empty class" / "Hand")
    (tmp_path / "empty class" / "Foot").mkdir()
    for name in ("nothing", "one class", "empty class"):
        done = run("training", "--data", tmp_path / name, "--cache", tmp_path / "cache", "--runs", tmp_path / "runs")
        assert (name, done.returncode) == (name, 2)
        assert done.stderr.startswith("error: ")
        assert len(done.stderr.splitlines()) == 1


def test_a_ct_is_seen_as_the_service_sees_it_and_kept_apart_by_window(tmp_path: Path) -> None:
    stored = np.arange(64 * 64, dtype=np.int16).reshape(64, 64)
    file = dicom(stored, Modality="CT", RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=3000, WindowWidth=2)
    names = [f"in/{name}/{number}.dcm" for name in ("A", "B") for number in range(3)]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(file)
    for view in (View(32), View(32, ct_window=(40, 400)), View(32, ct_window=(-600, 1500))):
        seen, _ = read_input(imaging.open(file), view)
        loaded = datasets.load(tmp_path / "in", view, tmp_path / "cache").inputs
        elsewhere = external.read(tmp_path, ["A", "B"], view).inputs
        assert np.array_equal(loaded, elsewhere)
        assert np.array_equal(loaded, np.stack([seen] * len(names)))
    assert len([*(tmp_path / "cache").iterdir()]) == 3
