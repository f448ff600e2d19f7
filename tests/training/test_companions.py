"""Companions: the list itself, and how pictures are fetched, found, turned and decoded, with a few drawn ones."""

import csv
import hashlib
import re
import shutil
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.imaging import Pixels, decode, to_input
from tests.conftest import KINDS, options
from tests.dicoms import dicom
from tests.running import run
from training import DataError, companions, decoding, phantoms

LISTED = companions.read()
OF_EACH = 15
WINDOW = 40, 400
# Of which a copy may be made, changed and given away, for money too; none is asked but a name and, with SA, the same licence.
PERMITTED = re.compile(r"(CC0|CC BY(-SA)? [234]\.[05]|public domain|PDDL 1\.0|Apache 2\.0|MIT|BSD-3-Clause)(;|$)")


def test_every_row_can_be_fetched_checked_and_credited() -> None:
    assert all(count == 1 for count in Counter(row["sha256"] for row in LISTED).values())
    for row in LISTED:
        assert re.fullmatch(r"https://raw\.githubusercontent\.com/[\w.-]+/[\w.-]+/[0-9a-f]{40}/[!-~]+", row["address"])
        assert re.fullmatch("[0-9a-f]{64}", row["sha256"])
        assert PERMITTED.match(row["licence"]), row["licence"]
        assert row["kind"]
        assert row["origin"]
        assert row["credit"]
        assert row["upright"] in decoding.TURNS
        assert row["held_out"] in {"", "origin", "kind", "picture"}


def test_about_a_fifth_of_each_class_is_held_out() -> None:
    classes = Counter(row["class"] for row in LISTED)
    held_out = Counter(row["class"] for row in LISTED if row["held_out"])
    assert set(classes) == companions.CLASSES - {"BreastMRI"} | {"none"}
    for name, count in classes.items():
        assert 0.15 <= held_out[name] / count <= 0.3


def test_what_is_held_out_is_whole_origins_and_kinds_except_where_a_class_has_too_few() -> None:
    reasons: dict[str, dict[str, set[str]]] = {"origin": defaultdict(set), "kind": defaultdict(set)}
    for row in LISTED:
        for name, found in reasons.items():
            found[row[name]].add(row["held_out"])
        if row["held_out"] == "picture":
            assert row["class"] in {"CXR", "Hand", "HeadCT"}
        if row["held_out"] == "kind":
            assert row["class"] == "none"
    for name, found in reasons.items():
        assert all(held_out == {name} for held_out in found.values() if name in held_out)
    trained = {row["kind"] for row in LISTED if not row["held_out"]}
    assert {row["kind"] for row in LISTED if row["held_out"] == "origin" and row["class"] == "none"} <= trained


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder; what is under /cut/ breaks off half way, and under /altered/ it is other bytes."""

    asked: list[str] = []

    def translate_path(self, path: str) -> str:
        return super().translate_path("/" + path.rpartition("/")[2])

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path.startswith("/missing/"):
            self.send_error(404)
        else:
            super().do_GET()

    def copyfile(self, source, outputfile) -> None:  # type: ignore[no-untyped-def]
        content = source.read()
        if self.path.startswith("/cut/"):
            content = content[: len(content) // 2]
        outputfile.write(content[::-1] if self.path.startswith("/altered/") else content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifteen drawn pictures of each of three classes and of strangers, 60 in all."""
    root = tmp_path_factory.mktemp("drawn")
    for name in (*KINDS, "none"):
        for number in range(OF_EACH):
            rng = np.random.default_rng([7, number, *name.encode()])
            drawn = phantoms.png(phantoms.draw(name if name in KINDS else "CXR", rng))
            (root / f"{name}{number}.png").write_bytes(drawn)
    return root


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its four attempts pooch sleeps for six seconds in all."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def write_list(files: dict[Path, str], path: Path, **more: str) -> Path:
    """The list of these files and their addresses; its first row of a class is held out."""
    rows, seen = [], set()
    for file, address in files.items():
        name = re.sub(r"\d", "", file.stem)
        row = dict.fromkeys(LISTED[0], "drawn") | {"class": name, "upright": "", "address": address}
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        rows.append(row | {"sha256": sha256, "held_out": "" if name in seen else "picture"} | more)
        seen.add(name)
    with path.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, [*LISTED[0]])
        writer.writeheader()
        writer.writerows(rows)
    return path


def listing(folder: Path, site: str, path: Path, **ways: str) -> Path:
    """The list of the drawn pictures; what `ways` names is served in that way."""
    files = sorted(folder.iterdir())
    return write_list({file: f"{site}/{ways.get(file.stem, 'good')}/{file.name}" for file in files}, path)


def load(listed: Path, cache: Path, folder: Path | None = None) -> companions.Companions:
    return companions.load(KINDS, folder, cache, listed)


def test_pictures_are_fetched_once_and_are_what_the_service_would_see(folder: Path, site: str, tmp_path: Path) -> None:
    listed = listing(folder, site, tmp_path / "list.csv")
    found = load(listed, tmp_path / "cache")
    assert found.gone == []
    assert np.bincount(found.labels + 1).tolist() == [OF_EACH] * 4  # strangers have -1
    assert found.counts()["Hand"] == {"drawn": {"learned": OF_EACH - 1, "held_out": 1}}
    assert found.credits() == {"drawn": [("drawn", "drawn")]}
    assert found.sha256 == hashlib.sha256(listed.read_bytes()).hexdigest()
    for row, seen in zip(found.rows, found.inputs, strict=True):
        assert np.array_equal(seen, to_input(decode((folder / row["address"].split("/")[-1]).read_bytes()), 64))
    asked = len(Handler.asked)
    again = load(listed, tmp_path / "cache")
    assert np.array_equal(again.inputs, found.inputs)
    assert len(Handler.asked) == asked


def test_a_damaged_copy_is_fetched_again_and_what_was_stopped_goes_on(folder: Path, site: str, tmp_path: Path) -> None:
    listed = listing(folder, site, tmp_path / "list.csv")
    load(listed, tmp_path / "cache")
    first, second, *_ = sorted((tmp_path / "cache" / "companions").iterdir())
    first.write_bytes(first.read_bytes()[:100])
    second.unlink()
    asked = len(Handler.asked)
    assert load(listed, tmp_path / "cache").gone == []
    assert len(Handler.asked) == asked + 2


@pytest.mark.parametrize("way", ["missing", "cut", "altered"])
def test_one_that_is_gone_is_named_and_left_out(folder: Path, site: str, tmp_path: Path, way: str) -> None:
    found = load(listing(folder, site, tmp_path / "list.csv", Hand3=way), tmp_path / "cache")
    assert found.gone == [f"{site}/{way}/Hand3.png"]
    assert len(found.inputs) == len(found.rows) == 4 * OF_EACH - 1
    assert any(line.startswith(f"left out: {site}/{way}/Hand3.png") for line in found.report())
    kept = {path.name for path in (tmp_path / "cache" / "companions").iterdir()}
    assert kept == {row["sha256"] for row in found.rows}


def test_more_than_two_in_a_hundred_gone_is_one_sentence_with_both_ways_on(
    folder: Path, site: str, tmp_path: Path
) -> None:
    listed = listing(folder, site, tmp_path / "list.csv", Hand3="missing", none1="altered")
    with pytest.raises(DataError, match=rf"^Of 60 .* 2 are missing .*{site}/\w+/.*--companions DIR.*none\.$"):
        load(listed, tmp_path / "cache")


def test_a_class_without_a_fifth_of_its_pictures_is_too_little(folder: Path, tmp_path: Path) -> None:
    few = Path(shutil.copytree(folder, tmp_path / "few"))
    for number in range(5, OF_EACH):
        (few / f"HeadCT{number}.png").unlink()
    listed = write_list({file: f"site/{file.name}" for file in few.iterdir()}, tmp_path / "list.csv")
    (few / "HeadCT0.png").unlink()
    with pytest.raises(DataError, match=r"^Of 50 .* 1 are missing \(1 of HeadCT\), such as site/HeadCT0.png;"):
        load(listed, tmp_path / "cache", few)


def test_a_folder_is_searched_for_what_is_in_its_files_whatever_they_are_called(
    folder: Path, site: str, tmp_path: Path
) -> None:
    listed = listing(folder, site, tmp_path / "list.csv")
    (tmp_path / "deep" / "down").mkdir(parents=True)
    for number, file in enumerate(sorted(folder.iterdir())):
        shutil.copy(file, tmp_path / "deep" / "down" / f"{number}.bin")
    asked = len(Handler.asked)
    assert load(listed, tmp_path / "cache", tmp_path / "deep").gone == []
    altered = tmp_path / "deep" / "down" / "20.bin"
    altered.write_bytes(altered.read_bytes() + b"\0")
    assert len(load(listed, tmp_path / "cache", tmp_path / "deep").gone) == 1
    assert len(Handler.asked) == asked


@pytest.mark.parametrize(("upright", "lie"), [("rot90", partial(np.rot90, k=-1)), ("flip", np.flipud)])
def test_pictures_are_turned_upright(tmp_path: Path, upright: str, lie: partial[Pixels]) -> None:
    drawn = phantoms.draw("Hand", np.random.default_rng(5))
    file = tmp_path / "Hand.png"
    file.write_bytes(phantoms.png(np.ascontiguousarray(lie(drawn))))
    found = load(write_list({file: "here"}, tmp_path / "list.csv", upright=upright), tmp_path / "cache", tmp_path)
    assert np.array_equal(found.inputs[0, ..., 0], drawn)


def ct(**header: Any) -> bytes:
    """A CT of a drawn abdomen, from -1000 to 1000 Hounsfield units."""
    drawn = phantoms.draw("AbdomenCT", np.random.default_rng(5)).repeat(8, 0).repeat(8, 1)
    rescale: dict[str, Any] = {"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": -1024}
    return dicom((drawn * (2000 / 255) + 24).astype(np.uint16), **rescale | header)


def test_a_ct_in_hounsfield_units_can_be_shown_through_any_window(tmp_path: Path) -> None:
    file = tmp_path / "AbdomenCT.dcm"
    file.write_bytes(ct(WindowCenter=WINDOW[0], WindowWidth=WINDOW[1]))
    found = load(write_list({file: "here"}, tmp_path / "list.csv"), tmp_path / "cache", tmp_path)
    assert found.hounsfield_rows.tolist() == [0]
    assert found.hounsfield.dtype == np.int16
    assert np.array_equal(decoding.rendered(found.hounsfield, *WINDOW), found.inputs[..., 0])


@pytest.mark.parametrize("header", [{"Modality": "MR"}, {"RescaleType": "US"}, {"RescaleIntercept": None}])
def test_what_is_not_said_to_be_in_hounsfield_units_is_not(tmp_path: Path, header: dict[str, Any]) -> None:
    file = tmp_path / "AbdomenCT.dcm"
    file.write_bytes(ct(**header))
    found = load(write_list({file: "here"}, tmp_path / "list.csv"), tmp_path / "cache", tmp_path)
    assert found.hounsfield.shape == (0, 256, 256)
    assert len(found.inputs) == 1


def test_other_classes_have_no_companions_and_are_told_so_in_a_line(tmp_path: Path) -> None:
    said: list[str] = []
    assert companions.choose(None, KINDS, tmp_path, said.append) is None
    assert len(said) == 1
    assert companions.choose("none", sorted(companions.CLASSES), tmp_path, said.append) is None
    assert len(said) == 1


@pytest.mark.parametrize("name", ["empty", "absent"])
def test_a_folder_without_companions_ends_before_training(data: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    done = run("training", *options(data, tmp_path, "robust"), "--companions", tmp_path / name)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_preset_article_never_asks_for_them(data: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where a folder should be, so that it ends before training")
    done = run("training", *options(data, tmp_path, "article"), "--companions", tmp_path / "absent")
    assert done.returncode == 2
    assert "absent" not in done.stderr
    assert "companions" not in done.stdout
