"""Real processes, as a user starts them."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import httpx2

from tests.benchmarks.processes import family

ROOT = Path(__file__).parent.parent
COMMITTED = ROOT / "model_artifacts" / "current"  # six classes, tells strangers and gives evidence
BEFORE = ROOT / "model_artifacts" / "mednist-88a0a3eb5d45"  # of no companions, no window, no sealed form
READY_SECONDS = 90
CACHE = "BODYREGION_CACHE"  # of compiled models, which all tests of a run share


def run(
    *arguments: str | Path, cwd: Path = ROOT, within: Sequence[str] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """`python -m <arguments>`, to its end, behind the command `within`, if any."""
    command = [*within, sys.executable, "-m", *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env=own_environment(environment), capture_output=True, text=True, check=False, timeout=300
    )


def start(
    *arguments: str | Path, output: Path, within: Sequence[str] = (), **environment: str
) -> subprocess.Popen[bytes]:
    """The same, left running, its output in a file."""
    command = [*within, sys.executable, "-m", *map(str, arguments)]
    with output.open("wb") as file:
        return subprocess.Popen(command, cwd=ROOT, env=own_environment(environment), stdout=file, stderr=file)


@dataclass
class Server:
    """`python -m app serve` on a free port."""

    process: subprocess.Popen[bytes]
    output: Path
    address: str

    def client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.address, timeout=30)

    def logs(self) -> list[dict[str, Any]]:
        lines = self.output.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def metric(self, name: str) -> float:
        """The sum of all series in /metrics that begin so."""
        with self.client() as client:
            lines = client.get("/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    def family(self) -> list[int]:
        """Its process and all that come from it."""
        return family(self.process.pid)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def under_load(clients: list[Callable[[], int]], pause: float = 0.005) -> Iterator[list[object]]:
    """Every client asks again and again in a thread of its own; the statuses, and errors, of all."""
    found: list[object] = []
    enough = threading.Event()

    def keep_asking(once: Callable[[], int]) -> None:
        while not enough.wait(pause):
            try:
                found.append(once())
            except (OSError, HTTPException, httpx2.HTTPError) as error:
                found.append(error)
                return

    threads = [threading.Thread(target=keep_asking, args=[once]) for once in clients]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        enough.set()
        for thread in threads:
            thread.join()


@contextmanager
def serving(bundle: Path, output: Path, within: Sequence[str] = (), **environment: str) -> Iterator[Server]:
    process = start("app", "serve", "--bundle", bundle, "--port", "0", output=output, within=within, **environment)
    try:
        yield Server(process, output, _address(process, output))
    finally:
        process.kill()
        process.wait()


def wait_until(holds: Callable[[], bool], seconds: float = 30) -> None:
    """Look again and again until it holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(0.05)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _address(process: subprocess.Popen[bytes], output: Path) -> str:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        for line in output.read_text().splitlines():
            if '"address"' in line:
                return str(json.loads(line)["address"])
        time.sleep(0.05)
    raise AssertionError(f"the service did not start: {output.read_text()}")


def own_environment(changes: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name == CACHE or not name.startswith("BODYREGION_")}
    return kept | {"COLUMNS": "120", "BODYREGION_DRAIN_SECONDS": "0", "BODYREGION_WORKERS": "1"} | changes
