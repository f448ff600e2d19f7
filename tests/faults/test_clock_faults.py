"""A service whose time of day is set anew while it answers."""

import shutil
import socket
import subprocess
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx2
import pytest

from tests.app.test_workers import asking
from tests.hostile.wire import POST, connect
from tests.running import Server, serving, wait_until

pytestmark = pytest.mark.slow


class Clock:
    """The time of day as one process sees it; the monotonic clock goes on, as it does when an administrator sets it."""

    def __init__(self, folder: Path) -> None:
        if not shutil.which("cc"):
            pytest.skip("there is no C compiler")
        self._ahead, library = folder / "ahead", folder / "clock.so"
        self.set(0)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, Path(__file__).with_name("clock.c")], check=True)
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_AHEAD": str(self._ahead)}

    def set(self, seconds: int) -> None:
        with self._ahead.open("r+b" if self._ahead.exists() else "wb") as file:
            file.write(seconds.to_bytes(8, "little", signed=True))


def test_a_clock_that_jumps_an_hour_forward_and_back_disturbs_nobody(
    artifacts: Path, tmp_path: Path, hand: bytes
) -> None:
    clock = Clock(tmp_path)
    with serving(artifacts / "current", tmp_path / "log", **clock.environment) as server, server.client() as client:
        uptimes = [client.get("/health").json()["uptime_seconds"]]
        with asking(server, hand) as statuses:
            for ahead in (3600, 0):
                slow = half_sent(server, hand)
                clock.set(ahead)
                wait_until(lambda: abs(hours_ahead(client) - ahead / 3600) < 0.1)  # noqa: B023 called here and now
                assert rest_sent(slow, hand) == 200
                uptimes.append(client.get("/health").json()["uptime_seconds"])
        assert set(statuses) == {200}
        assert uptimes == sorted(uptimes)
        assert uptimes[-1] < 3600


def hours_ahead(client: httpx2.Client) -> float:
    said = parsedate_to_datetime(client.get("/livez").headers["date"])
    return (said.timestamp() - time.time()) / 3600


def half_sent(server: Server, picture: bytes) -> socket.socket:
    """A request whose body is still on its way."""
    opened = connect(server)
    opened.sendall(POST + b"content-length: %d\r\n\r\n" % len(picture) + picture[: len(picture) // 2])
    return opened


def rest_sent(opened: socket.socket, picture: bytes) -> int:
    """The status of its answer."""
    with opened:
        opened.sendall(picture[len(picture) // 2 :])
        return int(opened.recv(1000).split()[1])
