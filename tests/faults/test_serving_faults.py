"""A service whose workers, bundle, clock and descriptors are taken from under it while it answers."""

import http.client
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from app.api.reload import LOOK_SECONDS
from app.model import bundle
from tests.app.test_workers import TWO, ask, asking, pids
from tests.bundles import another
from tests.running import Server, serving, wait_until


@pytest.fixture
def root(artifacts: Path, tmp_path: Path) -> Path:
    """A folder of bundles of this test's own."""
    return Path(shutil.copytree(artifacts, tmp_path / "artifacts", symlinks=True))


class Kept:
    """A connection that is kept, and the worker at its other end."""

    def __init__(self, server: Server) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(server.address).netloc, timeout=30)
        self._connection.connect()
        self.port = self._connection.sock.getsockname()[1]

    def predict(self, picture: bytes) -> int:
        self._connection.request("POST", "/predict", picture, {"Content-Type": "image/png"})
        answer = self._connection.getresponse()
        answer.read()
        return answer.status

    def close(self) -> None:
        self._connection.close()


def worker_of(port: int, candidates: list[int]) -> int:
    """The process that holds the other end of the connection from `port`, by the kernel's own tables."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    [inode] = [line[9] for line in lines if line[2].endswith(f":{port:04X}")]
    holds = f"socket:[{inode}]"
    return next(
        pid for pid in candidates if any(str(fd.readlink()) == holds for fd in Path(f"/proc/{pid}/fd").iterdir())
    )


def events(server: Server, name: str) -> int:
    return sum(line["event"] == name for line in server.logs())


def test_a_worker_killed_under_load_fails_none_of_the_others_requests(
    artifacts: Path, tmp_path: Path, hand: bytes
) -> None:
    with serving(artifacts / "current", tmp_path / "log", **TWO) as server:
        wait_until(lambda: len(pids(server)) == 2)
        victim, other = pids(server)
        kept = [Kept(server) for _ in range(16)]
        assert {connection.predict(hand) for connection in kept} == {200}
        safe = [connection for connection in kept if worker_of(connection.port, [victim, other]) == other]
        assert 0 < len(safe) < 16
        with under_load([partial(one.predict, hand) for one in safe]) as statuses:
            wait_until(lambda: len(statuses) > 50)
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: events(server, "worker died") == 1)
            asked = len(statuses)
            assert [ask(server, hand).status_code for _ in range(20)] == [200] * 20
            wait_until(lambda: len(pids(server)) == 3 and len(statuses) > asked + 50)
        assert set(statuses) == {200}
        for connection in kept:
            connection.close()


@contextmanager
def under_load(clients: list[Callable[[], int]], pause: float = 0.005) -> Iterator[list[object]]:
    """Every client asks again and again in a thread of its own; the statuses, and errors, of all."""
    found: list[object] = []
    enough = threading.Event()

    def keep_asking(once: Callable[[], int]) -> None:
        while not enough.wait(pause):
            try:
                found.append(once())
            except (OSError, http.client.HTTPException, httpx2.HTTPError) as error:
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


def test_a_bundle_deleted_under_the_service_costs_no_answer(root: Path, tmp_path: Path, hand: bytes) -> None:
    with serving(root / "current", tmp_path / "log", **TWO) as server:
        wait_until(lambda: len(pids(server)) == 2)
        folder = bundle.read(root / "current").folder
        with asking(server, hand) as statuses:
            folder.rename(kept := tmp_path / "kept")
            wait_until(lambda: events(server, "bundle refused") == 2)
        assert set(statuses) == {200}
        with server.client() as client:
            assert client.get("/model").json()["card"].startswith("# mednist")
        os.kill(pids(server)[0], signal.SIGKILL)  # another cannot take its place now, but the other one still serves
        wait_until(lambda: events(server, "worker died") >= 2)
        assert [ask(server, hand).status_code for _ in range(20)] == [200] * 20
        kept.rename(folder)
        wait_until(lambda: len(pids(server)) == 3 and events(server, "bundle taken over") == 1)
        assert ask(server, hand).status_code == 200


def test_a_bundle_replaced_in_its_place_is_followed_once_it_is_whole(root: Path, tmp_path: Path, hand: bytes) -> None:
    """The way rsync does it: into the folder in use, the manifest before the model."""
    served, after = tmp_path / "served", another(root)
    shutil.copytree(root / bundle.CURRENT, served)
    before = bundle.read(served)
    with serving(served, tmp_path / "log") as server:
        (served / bundle.MODEL).write_bytes(after.path(bundle.MODEL).read_bytes()[:100_000])
        shutil.copytree(after.folder, served, dirs_exist_ok=True, ignore=shutil.ignore_patterns(bundle.MODEL))
        wait_until(lambda: events(server, "bundle refused") > 0)
        answer = ask(server, hand)
        assert (answer.status_code, answer.headers["x-model-version"]) == (200, before.manifest.version)
        shutil.copy(after.path(bundle.MODEL), served)
        wait_until(lambda: events(server, "bundle taken over") == 1)
        assert ask(server, hand).headers["x-model-version"] == after.manifest.version
    [refused] = {line["serving"] for line in server.logs() if line["event"] == "bundle refused"}
    assert refused == before.title


CLOCK = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long *ahead;  /* seconds, in a file that the test writes */

__attribute__((constructor)) static void open_ahead(void) {
    ahead = mmap(0, sizeof *ahead, PROT_READ, MAP_SHARED, open(getenv("CLOCK_AHEAD"), O_RDONLY), 0);
}
int clock_gettime(clockid_t id, struct timespec *now) {
    long failed = syscall(SYS_clock_gettime, id, now);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += *ahead;
    return failed;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *kept) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (kept) *kept = exact.tv_sec;
    return exact.tv_sec;
}
"""


class Clock:
    """The time of day as one process sees it; the monotonic clock goes on, as it does when an administrator sets it."""

    def __init__(self, folder: Path) -> None:
        if not shutil.which("cc"):
            pytest.skip("there is no C compiler")
        self._ahead, library = folder / "ahead", folder / "clock.so"
        self.set(0)
        compiled: list[str | Path] = ["cc", "-shared", "-fPIC", "-x", "c", "-o", library, "-"]
        subprocess.run(compiled, input=CLOCK, text=True, check=True)
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
    opened = socket.create_connection(address_of(server), timeout=30)
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {len(picture)}\r\n\r\n"
    opened.sendall(head.encode() + picture[: len(picture) // 2])
    return opened


def rest_sent(opened: socket.socket, picture: bytes) -> int:
    """The status of its answer."""
    with opened:
        opened.sendall(picture[len(picture) // 2 :])
        return int(opened.recv(1000).split()[1])


def test_descriptors_that_run_out_come_back(artifacts: Path, tmp_path: Path, hand: bytes) -> None:
    with serving(artifacts / "current", tmp_path / "log") as server, server.client() as early:
        assert early.get("/livez").status_code == 200
        [pid] = pids(server)
        used, most = len(list(Path(f"/proc/{pid}/fd").iterdir())), resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 10, most))
        said = server.output.stat().st_size
        silent = [socket.create_connection(address_of(server), timeout=5) for _ in range(100)]
        assert early.post("/predict", files={"file": hand}).status_code == 200
        time.sleep(LOOK_SECONDS + 1)  # the bundle cannot be looked at either
        assert b"" in [one.recv(1) for one in silent if ended(one)]  # turned away: no descriptor was free
        assert server.output.stat().st_size - said < 1000  # the one request, and no traceback for each connection
        for one in silent:
            one.close()
        wait_until(lambda: answers(server, hand))
        assert (pids(server), server.process.poll()) == ([pid], None)
        assert not events(server, "bundle refused")


def address_of(server: Server) -> tuple[str, int]:
    parts = urlsplit(server.address)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


def ended(connection: socket.socket) -> bool:
    """Whether the other side has closed it."""
    return bool(select.select([connection], [], [], 0)[0])


def answers(server: Server, picture: bytes) -> bool:
    try:
        return ask(server, picture).status_code == 200
    except httpx2.TransportError:
        return False
