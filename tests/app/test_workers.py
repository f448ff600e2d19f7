"""Several workers at one address, and bundles that change under them."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx2
import pytest

from app.model import bundle
from tests.bundles import another, flip, point
from tests.running import Server, run, serving, under_load, wait_until

TWO = {"BODYREGION_WORKERS": "2"}


@pytest.fixture
def pair(root: Path, tmp_path: Path) -> Iterator[Server]:
    """A server with two workers that follows `root`."""
    with serving(root / "current", tmp_path / "log", **TWO) as server:
        wait_until(lambda: len(pids(server)) == 2)
        yield server


def pids(server: Server) -> list[int]:
    return [line["pid"] for line in server.logs() if line["event"] == "ready"]


def ask(server: Server, hand: bytes) -> httpx2.Response:
    """Over a connection of its own, so that any worker may take it."""
    with server.client() as client:
        return client.post("/predict", files={"file": hand})


def asking(server: Server, hand: bytes) -> AbstractContextManager[list[object]]:
    """Predictions asked for all the while; their statuses."""
    return under_load([lambda: ask(server, hand).status_code])


def test_what_all_workers_did_adds_up(pair: Server, hand: bytes) -> None:
    assert [ask(pair, hand).status_code for _ in range(20)] == [200] * 20
    assert pair.metric('bodyregion_predictions_total{label="Hand"}') == 20
    assert pair.metric("bodyregion_model_info{") == 2


def test_a_worker_that_dies_is_replaced(pair: Server, hand: bytes) -> None:
    victim = pids(pair)[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(pids(pair)) == 3)
    assert [line["pid"] for line in pair.logs() if line["event"] == "worker died"] == [victim]
    assert ask(pair, hand).status_code == 200
    assert pair.metric("bodyregion_model_info{") == 2


@pytest.mark.parametrize(("workers", "processes"), [(1, 2), (2, 5)])  # each with a decoder, two with a parent
@pytest.mark.parametrize(
    ("number", "code", "seconds"), [(signal.SIGTERM, 0, 1), (signal.SIGINT, 130, 1), (signal.SIGKILL, -9, 5)]
)
def test_nothing_is_left_once_the_service_has_gone(
    artifacts: Path, tmp_path: Path, workers: int, processes: int, number: signal.Signals, code: int, seconds: float
) -> None:
    with serving(artifacts / "current", tmp_path / "log", BODYREGION_WORKERS=str(workers)) as server:
        wait_until(lambda: len(pids(server)) == workers)
        family = server.family()
        server.process.send_signal(number)
        assert server.process.wait(30) == code
    assert len(family) == processes
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family), seconds)
    with pytest.raises(httpx2.ConnectError), server.client() as client:
        client.get("/livez")


@pytest.mark.parametrize("way", ["use", "SIGHUP"])
def test_another_bundle_takes_over_under_load_without_a_failed_request(
    pair: Server, root: Path, hand: bytes, way: str
) -> None:
    published = another(root)

    def all_have_it() -> bool:
        if way == "SIGHUP":  # while they load it, too
            pair.process.send_signal(signal.SIGHUP)
        return pair.metric(f'bodyregion_model_info{{name="mednist",version="{published.manifest.version}"}}') == 2

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
    flip(published.path(bundle.MODEL))
    point(root / "current", published.folder)
    pair.process.send_signal(signal.SIGHUP)
    wait_until(lambda: pair.metric('bodyregion_model_reloads_total{result="refused"}') == 2)
    assert ask(pair, hand).json()["model"]["version"] == before
    assert any(line["event"] == "bundle refused" and line["level"] == "warning" for line in pair.logs())
