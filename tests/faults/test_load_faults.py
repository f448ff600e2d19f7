"""A service under load whose worker is killed, that is told to leave, or that has no descriptors left."""

import os
import resource
import select
import signal
import socket
import time
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from app.api.reload import POLL_SECONDS
from tests.app.test_workers import TWO, ask, pids
from tests.hostile.wire import connect
from tests.running import Server, serving, under_load, wait_until

pytestmark = pytest.mark.slow


def kept_connection(server: Server) -> HTTPConnection:
    connection = HTTPConnection(urlsplit(server.address).netloc, timeout=30)
    connection.connect()
    return connection


def predict(connection: HTTPConnection, picture: bytes) -> int:
    connection.request("POST", "/predict", picture, {"Content-Type": "image/png"})
    with connection.getresponse() as answer:
        answer.read()
        return answer.status


def held_by(pid: int, connection: HTTPConnection) -> bool:
    """Whether that process has the other end, by the kernel's own tables."""
    port = connection.sock.getsockname()[1]
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    [inode] = [line[9] for line in lines if line[2].endswith(f":{port:04X}")]
    return any(str(fd.readlink()) == f"socket:[{inode}]" for fd in Path(f"/proc/{pid}/fd").iterdir())


def events(server: Server, name: str) -> int:
    return sum(line["event"] == name for line in server.logs())


def test_a_worker_killed_under_load_fails_none_of_the_others_requests(
    artifacts: Path, tmp_path: Path, hand: bytes
) -> None:
    with serving(artifacts / "current", tmp_path / "log", **TWO) as server:
        wait_until(lambda: len(pids(server)) == 2)
        victim, other = pids(server)
        kept = [kept_connection(server) for _ in range(16)]
        assert {predict(connection, hand) for connection in kept} == {200}
        safe = [connection for connection in kept if held_by(other, connection)]
        assert 0 < len(safe) < 16
        with under_load([partial(predict, one, hand) for one in safe]) as statuses:
            wait_until(lambda: len(statuses) > 50)
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: events(server, "worker died") == 1)
            asked = len(statuses)
            assert [ask(server, hand).status_code for _ in range(20)] == [200] * 20
            wait_until(lambda: len(pids(server)) == 3 and len(statuses) > asked + 50)
        assert set(statuses) == {200}
        for connection in kept:
            connection.close()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_under_load_fails_no_request(artifacts: Path, tmp_path: Path, hand: bytes, workers: str) -> None:
    settings = {"BODYREGION_WORKERS": workers, "BODYREGION_DRAIN_SECONDS": "4"}
    with serving(artifacts / "current", tmp_path / "log", **settings) as server:
        wait_until(lambda: len(pids(server)) == int(workers))
        with server.client() as keeping:
            clients = [
                lambda: keeping.post("/predict", files={"file": hand}).status_code,
                lambda: ask(server, hand).status_code,
            ] * 4
            with under_load(clients) as statuses:
                wait_until(lambda: len(statuses) > 50)
                server.process.terminate()
                wait_until(lambda: httpx2.get(f"{server.address}/readyz").status_code == 503)
                asked = len(statuses)
                time.sleep(1)  # what a balancer may take to notice; half of the drain is for that
            assert len(statuses) > asked + 50
            assert set(statuses) == {200}
            assert server.process.wait(30) == 0


def test_descriptors_that_run_out_come_back(artifacts: Path, tmp_path: Path, hand: bytes) -> None:
    with serving(artifacts / "current", tmp_path / "log") as server, server.client() as early:
        assert early.get("/livez").status_code == 200
        [pid] = pids(server)
        used, most = len(list(Path(f"/proc/{pid}/fd").iterdir())), resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 10, most))
        said = server.output.stat().st_size
        silent = [connect(server) for _ in range(100)]
        assert early.post("/predict", files={"file": hand}).status_code == 200
        time.sleep(POLL_SECONDS + 1)  # the bundle cannot be looked at either
        assert b"" in [one.recv(1) for one in silent if ended(one)]  # turned away: no descriptor was free
        assert server.output.stat().st_size - said < 1000  # the one request, and no traceback for each connection
        for one in silent:
            one.close()
        wait_until(lambda: answers(server, hand))
        assert (pids(server), server.process.poll()) == ([pid], None)
        assert not events(server, "bundle refused")


def ended(connection: socket.socket) -> bool:
    """Whether the other side has closed it."""
    return bool(select.select([connection], [], [], 0)[0])


def answers(server: Server, picture: bytes) -> bool:
    try:
        return ask(server, picture).status_code == 200
    except httpx2.TransportError:
        return False
