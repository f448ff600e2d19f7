"""A service told to leave while it starts, as orchestrators, terminals and the kernel's out-of-memory killer do it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.running import READY_SECONDS, ROOT, start, wait_until

DRAIN_SECONDS = 5
OWN_SESSION = ["setsid"]  # so that all its processes can be told from others, and be sent a signal together


def session(leader: int) -> list[int]:
    """The processes there are of a session."""
    found = []
    for pid in [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]:
        with suppress(ProcessLookupError):  # it ended meanwhile
            if os.getsid(pid) == leader:
                found.append(pid)
    return found


def runs(leader: int, module: str, count: int = 1) -> bool:
    """Whether so many processes of the session run a module."""
    commands = []
    for pid in session(leader):
        with suppress(OSError):
            commands.append(Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0"))
    return sum(module in command for command in commands) >= count


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether the process has a handler of its own for the signal."""
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return bool(int(status["SigCgt"], 16) >> number - 1 & 1)


MOMENTS: dict[str, Callable[[int], bool]] = {
    "its first instruction": lambda pid: catches(pid, signal.SIGTERM),
    "its imports": lambda pid: "_multiarray_umath" in Path(f"/proc/{pid}/maps").read_text(),
    "a checkpoint being compiled": lambda pid: runs(pid, "app.model.compiler"),
    "a worker being forked": lambda pid: runs(pid, "serve", 2),
    "its decoder's start": lambda pid: runs(pid, "app.imaging.decoder"),
}
AT_ONE_WORKER = [moment for moment in MOMENTS if "forked" not in moment]
STARTS = [("1", moment) for moment in AT_ONE_WORKER] + [("2", moment) for moment in MOMENTS]


def orchestrator(leader: int) -> None:
    """Docker and Kubernetes send SIGTERM to the first process, and nothing more until they kill."""
    os.kill(leader, signal.SIGTERM)


def terminal(leader: int) -> None:
    """Ctrl-C reaches all processes in the foreground, and who is impatient strikes it again."""
    for _ in range(2):
        with suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGINT)


def out_of_memory(leader: int) -> None:
    """The kernel gives nobody the time to tell others."""
    os.kill(leader, signal.SIGKILL)


@pytest.mark.parametrize(("workers", "moment"), STARTS)
@pytest.mark.parametrize(
    ("told", "code"),
    [(orchestrator, 0), (terminal, 130), pytest.param(out_of_memory, -9, marks=pytest.mark.slow)],
)
def test_a_service_that_starts_leaves_at_any_moment_with_all_its_processes(
    artifacts: Path, tmp_path: Path, told: Callable[[int], None], code: int, workers: str, moment: str
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    settings = {"WORKERS": workers, "BUNDLE": str(artifacts / "current"), "DRAIN_SECONDS": str(DRAIN_SECONDS)}
    if "compiled" in moment:
        settings["CACHE"] = str(tmp_path / "empty")
    environment = {f"BODYREGION_{name}": value for name, value in settings.items()} | {"TMPDIR": str(scratch)}
    log = tmp_path / "log"
    with start("app", "serve", "--port", "0", output=log, within=OWN_SESSION, **environment) as process:
        try:
            wait_until(lambda: os.getsid(process.pid) == process.pid and MOMENTS[moment](process.pid), READY_SECONDS)
            told(process.pid)
            assert process.wait(DRAIN_SECONDS) == code
            wait_until(lambda: not session(process.pid), DRAIN_SECONDS)
        finally:
            process.kill()
    assert "Traceback" not in log.read_text()
    if told is not out_of_memory:
        assert not log.read_text()
        assert not [*scratch.iterdir()]


def test_a_service_listens_to_signals_before_it_imports_anything() -> None:
    """As process 1 of a container it would not even be ended by those it has no handler for."""
    heavy = {"asyncio", "numpy", "pydantic", "structlog", "typer", "uvicorn"}
    code = f"import sys, app.__main__; sys.exit(bool({heavy} & sys.modules.keys()))"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
