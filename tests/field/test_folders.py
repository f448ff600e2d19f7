"""Folders as they lie on a hospital's disks, with what programs left there: every file is judged once, whatever leads to it."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.scoring.containers import NO_FILE
from app.scoring.files import Unreadable
from app.scoring.finding import find
from tests.app.scored import begin, classify, copies
from tests.benchmarks.processes import family
from tests.running import COMMITTED, wait_until

# Root may enter any folder, save without these.
POWERLESS = [] if os.geteuid() else ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
NAMES = "import json, sys; from app.scoring.finding import find; json.dump([[f.name, f.fault] for f in find(sys.argv[1:])], sys.stdout)"
MANY = 3000  # pictures, which take longer than a second


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three pictures at three depths, in the folder where commands are given."""
    monkeypatch.chdir(tmp_path)
    for name in ("0.png", "x/1.png", "x/y/2.png"):
        (file := tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"picture")
    return tmp_path / "folder"


def names(*patterns: str) -> list[str]:
    return [file.name for file in find(patterns)]


@pytest.mark.parametrize(
    "patterns",
    [
        "folder/**",
        "folder/** folder/**",
        "folder folder/x",
        "folder folder/0.png ./folder/x/1.png",
        "folder/../folder ./folder",
        "folder/**/*.png",
        "**/0.png folder",
        "folder/**/x/** folder",
        "**",
        ".",
    ],
)
def test_a_file_that_is_reached_in_several_ways_is_one(folder: Path, patterns: str) -> None:
    found = names(*patterns.split())
    assert sorted(os.path.normpath(name) for name in found) == ["folder/0.png", "folder/x/1.png", "folder/x/y/2.png"]


def test_files_that_only_a_pattern_names_are_all(folder: Path) -> None:
    assert names("folder/**/[12].png", "folder/x/1.png") == ["folder/x/1.png", "folder/x/y/2.png"]
    assert names("folder/*") == ["folder/0.png", "folder/x/1.png", "folder/x/y/2.png"]


def test_a_linked_folder_is_entered_and_no_circle_followed(folder: Path, tmp_path: Path) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (elsewhere / "3.png").write_bytes(b"picture")
    (folder / "linked").symlink_to(elsewhere)
    (folder / "again").symlink_to(elsewhere)
    for name in ("current", "latest", "x/up"):
        (folder / name).symlink_to(folder)
    expected = ["folder/0.png", "folder/again/3.png", "folder/x/1.png", "folder/x/y/2.png"]
    assert names("folder") == expected
    assert names("folder/**") == expected
    assert names("folder/**/*.png") == expected


def test_names_of_one_file_are_each_judged(folder: Path) -> None:
    (folder / "hard.png").hardlink_to(folder / "0.png")
    (folder / "soft.png").symlink_to("0.png")
    assert [file.read() for file in find(["folder/*.png"])] == [b"picture"] * 3


def test_what_is_no_file_is_not_opened(folder: Path) -> None:
    os.mkfifo(folder / "a.dcm")
    os.mkfifo(folder / "b.zip")
    (folder / "c.png").symlink_to("a.dcm")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind("folder/d")  # paths of sockets must be short
    faults = {file.name: file.fault for file in find(["folder", "folder/a.dcm"]) if file.fault}
    assert faults == {f"folder/{name}": NO_FILE for name in ("a.dcm", "b.zip", "c.png", "d")}
    assert [file.fault for file in find(["folder/b.zip"])] == [NO_FILE]


def test_a_link_to_nothing_has_a_row(folder: Path) -> None:
    (folder / "gone.png").symlink_to("nowhere")
    (folder / "round.png").symlink_to("round.png")
    assert len(names("folder")) == 5
    for file in find(["folder/gone.png", "folder/round.png"]):
        with pytest.raises(Unreadable, match=r"The file cannot be read\."):
            file.read()


@pytest.mark.parametrize("pattern", ["folder", "folder/**", "folder/**/*.png"])
def test_a_folder_that_may_not_be_entered_has_a_row(folder: Path, pattern: str) -> None:
    (folder / "x" / "y").chmod(0)
    command = [*POWERLESS, sys.executable, "-c", NAMES, pattern]
    told = subprocess.run(
        command, capture_output=True, check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert json.loads(told.stdout) == [
        ["folder/0.png", None],
        ["folder/x/1.png", None],
        ["folder/x/y", ["The folder cannot be entered.", "unreadable"]],
    ]
    (folder / "x" / "y").chmod(0o700)


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_the_table_and_the_page_are_not_among_the_files_they_are_about(name: str, hand: bytes, tmp_path: Path) -> None:
    copies(folder := tmp_path / "folder", hand, 2)
    for left in (".page.html.part", f".{name}.part"):  # by a run that was killed
        (folder / left).write_text("half a ")
    (folder / f"{name}.parts").mkdir()
    (folder / f"{name}.parts" / "1.jsonl").write_text("{}")
    for _ in range(2):
        said = classify(folder, folder / name, COMMITTED, f"{folder}/*.*", "--report", folder / "page.html")
        assert ", 2 rows" in said.splitlines()[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("moment", ["preparing", "judging"])
def test_readers_end_with_whoever_started_them(
    number: signal.Signals, moment: str, hand: bytes, tmp_path: Path
) -> None:
    out, scratch = tmp_path / "table.csv", tmp_path / "scratch"
    scratch.mkdir()
    process = begin(copies(tmp_path / "many", hand, MANY), out, COMMITTED, TMPDIR=str(scratch))
    begun: dict[str, Callable[[], bool]] = {
        "preparing": lambda: len(family(process.pid)) > 2,
        "judging": lambda: out.exists() and out.read_text().count("\n") > 100,
    }
    wait_until(begun[moment])
    started = family(process.pid)
    process.send_signal(number)
    assert process.wait(30) == (143 if number == signal.SIGTERM else -number)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started))
    assert moment == "preparing" or "Traceback" not in (tmp_path / "log").read_text()  # it may be half given its orders
    assert not [*scratch.iterdir()]
