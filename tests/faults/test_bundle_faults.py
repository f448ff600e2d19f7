"""A service whose bundle is deleted, or replaced in its place, while it answers."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from app.model import bundle
from tests.app.test_workers import TWO, ask, asking, pids
from tests.bundles import another
from tests.faults.test_load_faults import events
from tests.running import serving, wait_until

pytestmark = pytest.mark.slow


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
