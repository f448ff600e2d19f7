"""Several workers at one address, and bundles that change under them."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx2
import pytest

from app.model import bundle
from tests.app.test_operations import flip
from tests.bundles import another
from tests.running import Server, run, serving, start, wait_until

TWO = {"BODYREGION_WORKERS": "2"}


@pytest.fixture
def root(artifacts: Path, tmp_path: Path) -> Path:
    """A folder of bundles of this test's own."""
    shutil.copytree(artifacts, tmp_path / "artifacts", symlinks=True)
    return tmp_path / "artifacts"


@pytest.fixture
def pair(root: Path, tmp_path: Path) -> Iterator[Server]:
    """A server with two workers that follows `root`."""
    with serving(root / "current", tmp_path / "log", **TWO) as server:
        wait_until(lambda: len(pids(server)) == 2)
        yield server


def pids(server: Server) -> list[int]:
    return [line["pid"] for line in server.logs() if line["event"] == "ready"]


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether the process has a handler of its own for the signal."""
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return bool(int(status["SigCgt"], 16) >> number - 1 & 1)


def ask(server: Server, hand: bytes) -> httpx2.Response:
    """Over a connection of its own, so that any worker may take it."""
    with server.client() as client:
        return client.post("/predict", files={"file": hand})


def metric(server: Server, name: str) -> float:
    with server.client() as client:
        lines = client.get("/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


@contextmanager
def asking(server: Server, hand: bytes) -> Iterator[list[int]]:
    """Predictions asked for all the while; their statuses."""
    statuses: list[int] = []
    enough = threading.Event()

    def keep_asking() -> None:
        while not enough.wait(0.005):
            statuses.append(ask(server, hand).status_code)

    thread = threading.Thread(target=keep_asking)
    thread.start()
    try:
        yield statuses
    finally:
        enough.set()
        thread.join()


def test_what_all_workers_did_adds_up(pair: Server, hand: bytes) -> None:
    assert [ask(pair, hand).status_code for _ in range(20)] == [200] * 20
    assert metric(pair, 'bodyregion_predictions_total{label="Hand"}') == 20
    assert metric(pair, "bodyregion_model_info{") == 2


def test_a_worker_that_dies_is_replaced(pair: Server, hand: bytes) -> None:
    victim = pids(pair)[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(pids(pair)) == 3)
    assert [line["pid"] for line in pair.logs() if line["event"] == "worker died"] == [victim]
    assert ask(pair, hand).status_code == 200
    assert metric(pair, "bodyregion_model_info{") == 2


@pytest.mark.parametrize(("number", "seconds"), [(signal.SIGTERM, 1), (signal.SIGKILL, 5)])
def test_nothing_is_left_once_the_service_has_gone(pair: Server, number: signal.Signals, seconds: float) -> None:
    family = pair.family()
    assert len(family) == 5  # two workers, each with a decoder
    pair.process.send_signal(number)
    pair.process.wait(30)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family), seconds)


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_service_told_to_leave_while_it_starts_leaves(
    root: Path, tmp_path: Path, number: signal.Signals, code: int, workers: str
) -> None:
    for wait in (0, 0.2, 0.4, 0.6, 1.2):
        cache = {"BODYREGION_CACHE": str(tmp_path / "empty")} if wait > 1 else {}  # while it compiles
        chosen = {"BODYREGION_WORKERS": workers, "BODYREGION_BUNDLE": str(root / "current"), **cache}
        process = start("app", "serve", "--port", "0", output=tmp_path / "log", **chosen)
        wait_until(partial(catches, process.pid, signal.SIGTERM))  # until then it is Python that starts
        time.sleep(wait)
        process.send_signal(number)
        assert process.wait(10) == code


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_all_workers_leave_when_told(pair: Server, number: signal.Signals, code: int) -> None:
    pair.process.send_signal(number)
    assert pair.process.wait(30) == code
    with pytest.raises(httpx2.ConnectError), pair.client() as client:
        client.get("/livez")


def test_a_bundle_that_no_worker_can_trust_ends_all_with_code_3(root: Path) -> None:
    published = bundle.read(root / "current")
    first = published.manifest.golden[0]
    turned = first.model_copy(update={"probabilities": first.probabilities[::-1]})
    bundle.seal(
        published.folder, published.manifest.model_copy(update={"golden": [turned, *published.manifest.golden[1:]]})
    )
    done = run("app", "serve", "--bundle", root / "current", "--port", "0", "--workers", "2")
    assert done.returncode == 3
    assert "drifts" in done.stderr


@pytest.mark.parametrize("way", ["use", "SIGHUP"])
def test_another_bundle_takes_over_under_load_without_a_failed_request(
    pair: Server, root: Path, hand: bytes, way: str
) -> None:
    published = another(root)

    def all_have_it() -> bool:
        if way == "SIGHUP":  # while they load it, too
            pair.process.send_signal(signal.SIGHUP)
        return metric(pair, f'bodyregion_model_info{{name="mednist",version="{published.manifest.version}"}}') == 2

    with asking(pair, hand) as statuses:
        assert run("app", "use", published.manifest.version, "--root", root).returncode == 0
        wait_until(all_have_it)
        answer = ask(pair, hand)
    assert set(statuses) == {200}
    assert answer.headers["x-model-version"] == answer.json()["model"]["version"] == published.manifest.version
    time.sleep(2)  # in which whoever was asked again meanwhile would load it again
    assert [line["event"] for line in pair.logs()].count("bundle taken over") == 2


def test_a_bundle_that_does_not_verify_leaves_the_old_one_serving(pair: Server, root: Path, hand: bytes) -> None:
    before, published = bundle.read(root / "current").manifest.version, another(root)
    flip(published.folder / "model.keras")
    (root / "next").symlink_to(published.folder.name)
    (root / "next").replace(root / "current")
    pair.process.send_signal(signal.SIGHUP)
    wait_until(lambda: metric(pair, 'bodyregion_model_reloads_total{result="refused"}') == 2)
    assert ask(pair, hand).json()["model"]["version"] == before
    assert any(line["event"] == "bundle refused" and line["level"] == "warning" for line in pair.logs())
