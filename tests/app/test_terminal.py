"""`serve` at a terminal, a real one: what a person reads, and what Ctrl-C does. Programs go on reading JSON."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx2
import pytest

from tests.benchmarks.processes import family
from tests.bundles import another, point
from tests.running import ROOT, own_environment, wait_until

CTRL_C = b"\x03"
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
SERVING = r"^serving (mednist-\w{12}) on (http://\S+) \(docs at /docs\); Ctrl-C stops$"


class Terminal:
    """A terminal with one command in its foreground."""

    def __init__(self, process: "subprocess.Popen[bytes]", side: int) -> None:
        self.process, self._side, self._read = process, side, b""

    def text(self) -> str:
        """All that was shown so far, without what a carriage return was written over."""
        os.set_blocking(self._side, False)
        try:
            while more := os.read(self._side, 65536):
                self._read += more
        except OSError:  # nothing more now, or ever
            pass
        return re.sub(r"^.*\r(?!$)", "", self._read.decode().replace("\r\n", "\n"), flags=re.MULTILINE)

    def wait_for(self, pattern: str) -> re.Match[str]:
        wait_until(lambda: re.search(pattern, self.text(), re.MULTILINE) is not None)
        found = re.search(pattern, self.text(), re.MULTILINE)
        assert found
        return found

    def type(self, keys: bytes) -> None:
        os.write(self._side, keys)


@contextmanager
def terminal(command: Sequence[str | Path], output: IO[bytes] | None = None, **changes: str) -> Iterator[Terminal]:
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", *map(str, command)],
        cwd=ROOT,
        env=own_environment({"NO_COLOR": "1", "BODYREGION_DRAIN_SECONDS": "20"} | changes),
        stdin=theirs,
        stdout=output or theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def serve(folder: Path) -> list[str | Path]:
    return [sys.executable, "-m", "app", "serve", "--port", "0", "--bundle", folder]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_person_is_told_once_what_the_service_does_whatever_its_workers(
    root: Path, hand: bytes, workers: str
) -> None:
    with terminal(serve(root / "current"), BODYREGION_WORKERS=workers) as shown:
        shown.wait_for(r"\Aloading …$")
        title, address = shown.wait_for(SERVING).groups()
        assert (root / "current").resolve().name == title
        assert httpx2.post(f"{address}/predict", files={"file": hand}).status_code == 200
        shown.wait_for(r"^\d\d:\d\d:\d\d \[info\] POST /predict 200 \d+(\.\d+)? ms$")
        after = another(root)
        point(root / "current", after.folder)
        shown.wait_for(f"^changed to bundle {after.title}$")
        with socket.create_connection((httpx2.URL(address).host, httpx2.URL(address).port), timeout=30) as caller:
            caller.sendall(HEAD % len(hand))
            assert caller.recv(100).startswith(b"HTTP/1.1 100 ")  # it waits for the body
            shown.type(CTRL_C)
            shown.wait_for("^stopping, 1 request in flight$")
            caller.sendall(hand)
            assert caller.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert shown.process.wait(30) == 130
        lines = shown.text().splitlines()
    assert lines[-1] == "stopped"
    assert len([line for line in lines if not re.match(r"\d\d:", line)]) == 5


def test_json_can_be_asked_for_at_a_terminal(artifacts: Path) -> None:
    with terminal(serve(artifacts / "current"), BODYREGION_LOG_FORMAT="json") as shown:
        shown.wait_for('"ready"')
        shown.type(CTRL_C)
        assert shown.process.wait(30) == 130
        lines = shown.text().removesuffix("^C").splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["ready"]


def test_a_log_that_goes_into_a_file_is_json_while_the_terminal_is_told(artifacts: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file, terminal(serve(artifacts / "current"), output=file) as shown:
        address = shown.wait_for(SERVING)[2]
        assert httpx2.get(f"{address}/livez").status_code == 200
        shown.type(CTRL_C)
        shown.wait_for("^stopped$")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["ready", "request"]
    assert lines[0]["address"] == address


MOMENTS: dict[str, Callable[[int], bool]] = {
    "the first line": lambda pid: True,
    "its imports": lambda pid: "_multiarray_umath" in Path(f"/proc/{pid}/maps").read_text(),
    "its decoder's start": lambda pid: len(family(pid)) > 1,
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_while_it_loads_is_code_130_and_no_traceback(artifacts: Path, workers: str, moment: str) -> None:
    with terminal(serve(artifacts / "current"), BODYREGION_WORKERS=workers) as shown:
        shown.wait_for("^loading …$")
        wait_until(lambda: MOMENTS[moment](shown.process.pid))
        shown.type(CTRL_C)
        assert shown.process.wait(30) == 130
        assert not re.search("(?i)traceback|error|exception", shown.text())


def test_make_serve_says_nothing_of_its_own_when_it_is_interrupted(artifacts: Path) -> None:
    if not (ROOT / ".venv" / "serve").exists():
        pytest.skip("there is no .venv here, which make would make")
    command = ["make", "--old-file", "requirements.lock", "serve", "PORT=0"]
    with terminal(command, BODYREGION_BUNDLE=str(artifacts / "current")) as shown:
        shown.wait_for(SERVING)
        shown.type(CTRL_C)
        shown.wait_for("^stopped$")
        shown.process.wait(30)
        assert shown.text().endswith("stopped\n")
