"""Disks that fill up and file systems that cannot be written to, under the commands that write."""

import shutil
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from app.model import bundle
from tests.conftest import options
from tests.faults.mounts import mounts, tiny_disk
from tests.running import run, serving, wait_until
from training import phantoms

pytestmark = pytest.mark.slow

BUNDLE_KIB = 1600  # a bundle of the tiny data takes a little less; its model 650, and as much compiled
FULL = "error: The disk: No space left on device."


def sentence(done: CompletedProcess[str], code: int = 2) -> str:
    """What a command that failed says in its last line, which alone is ours: TensorFlow greets before it."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    [said] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.stderr.splitlines()[-1] == said
    return said


@pytest.fixture
def archive(tmp_path: Path, hand: bytes) -> Path:
    """300 pictures: their rows take more than 80 KiB, and fewer than 200 as CSV."""
    folder = tmp_path / "archive"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number:03}.png").write_bytes(hand)
    return folder


def test_a_disk_that_fills_up_while_publishing_costs_nothing(data: Path, artifacts: Path, tmp_path: Path) -> None:
    root, before = tmp_path / "artifacts", bundle.read(artifacts / bundle.CURRENT).title
    with tiny_disk(root, kib=2 * BUNDLE_KIB) as disk:
        shutil.copytree(artifacts, disk.seen(root), symlinks=True, dirs_exist_ok=True)
        disk.leave(root, kib=700)  # enough for the model, too little for what stands beside it
        done = run("training", *options(data, tmp_path), "--seed", "1", within=disk.within)
        assert sentence(done) == FULL
        assert published(disk.seen(root), tmp_path) == (before, {bundle.CURRENT, before, disk.filler})
        disk.leave(root, kib=BUNDLE_KIB)
        done = run("training", *options(data, tmp_path), "--seed", "1", within=disk.within)
        assert done.returncode == 0, done.stderr
        after, names = published(disk.seen(root), tmp_path)
        assert after != before
        assert names == {bundle.CURRENT, before, after, disk.filler}


def test_a_disk_that_fills_up_while_training_costs_nothing(data: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with tiny_disk(runs, kib=60) as disk:
        for kib in (60, 3500):  # too little for TensorBoard's log, then for the state after an epoch
            disk.mount(f"mount -o remount,size={kib}k '{runs}'")
            done = run("training", *options(data, tmp_path), within=disk.within)
            assert sentence(done) == FULL
            assert not (tmp_path / "artifacts").exists()
        disk.mount(f"mount -o remount,size=16m '{runs}'")
        done = run("training", *options(data, tmp_path), within=disk.within)
        assert done.returncode == 0, done.stderr
        assert len(list(disk.seen(runs).iterdir())) == 1  # it went on, and did not begin again


def published(root: Path, tmp_path: Path) -> tuple[str, set[str]]:
    """The bundle in use, which is sound, and the name of everything in `root`."""
    copied = tmp_path / "copied"  # from outside the mount, a link would be followed to what is outside
    shutil.rmtree(copied, ignore_errors=True)
    shutil.copytree(root, copied, symlinks=True)
    return bundle.read(copied / bundle.CURRENT).title, {path.name for path in copied.iterdir()}


@pytest.mark.parametrize(("name", "kept"), [("table.csv", "table.csv"), ("table.parquet", ".table.parquet.jsonl")])
def test_a_disk_that_fills_up_while_scoring_keeps_the_rows(
    archive: Path, artifacts: Path, tmp_path: Path, name: str, kept: str
) -> None:
    out = tmp_path / "disk" / name
    command: list[str | Path] = ["app", "classify", archive, "--bundle", artifacts / "current", "--out", out]
    with tiny_disk(out.parent, kib=80) as disk:
        done = run(*command, within=disk.within)
        assert sentence(done).endswith("No space left on device.")
        assert [path.name for path in disk.seen(out.parent).iterdir()] == [kept]
        before = disk.seen(out.parent / kept).read_bytes()
        whole = before[: before.rindex(b"\n") + 1]
        assert whole.count(b"\n") > 100
        disk.mount(f"mount -o remount,size=1m '{out.parent}'")
        done = run(*command, within=disk.within)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == f"{out}, 300 rows"
        assert [path.name for path in disk.seen(out.parent).iterdir()] == [name]
        assert name != kept or disk.seen(out).read_bytes().startswith(whole)


def test_a_page_that_does_not_fit_leaves_the_one_before(archive: Path, artifacts: Path, tmp_path: Path) -> None:
    page = tmp_path / "disk" / "page.html"
    command: list[str | Path] = ["app", "classify", archive, "--bundle", artifacts / "current"]
    with tiny_disk(page.parent, kib=64) as disk:
        disk.seen(page).write_text("the one before")
        disk.leave(page.parent, kib=0)
        done = run(*command, "--out", tmp_path / "table.csv", "--report", page, within=disk.within)
        assert sentence(done) == FULL
        assert {path.name for path in disk.seen(page.parent).iterdir()} == {page.name, disk.filler}
        assert disk.seen(page).read_text() == "the one before"


READ_ONLY = "mount -o remount,bind,ro /", "! touch /var/tmp/probe 2>&-", "! touch probe 2>&-"


def test_a_disk_that_fills_up_under_the_log_costs_no_answer(artifacts: Path, tmp_path: Path, hand: bytes) -> None:
    folder = tmp_path / "disk"
    with tiny_disk(folder, kib=64) as disk, serving(artifacts / "current", disk.seen(folder / "log")) as server:
        disk.leave(folder, kib=0)
        full = server.output.stat().st_size
        with server.client() as client:
            asked = [client.post("/predict", files={"file": hand}).status_code for _ in range(40)]
            assert server.output.stat().st_size - full < 4096  # what was left of the last block
            disk.seen(folder / disk.filler).unlink()
            client.get("/livez", headers={"X-Request-ID": "said-again"})
        assert asked == [200] * 40
        wait_until(lambda: "said-again" in server.output.read_text())  # a line is written behind its answer


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_service_needs_no_file_system_to_write_to_but_a_temporary_one(
    artifacts: Path, tmp_path: Path, hand: bytes, workers: str
) -> None:
    large = phantoms.png(np.random.default_rng(1).integers(0, 256, (1500, 1500), np.uint8))  # a form past 1 MiB
    settings = {"BODYREGION_WORKERS": workers, "TMPDIR": "/dev/shm"}
    with (
        mounts(*READ_ONLY) as view,
        serving(artifacts / "current", tmp_path / "log", within=view.within, **settings) as server,
    ):
        with server.client() as client:
            assert client.post("/predict", files={"file": hand}).json()["label"] == "Hand"
            assert client.post("/predict", files={"file": large}).status_code == 200
            assert client.get("/metrics").status_code == 200
        assert server.stop() == 0


def test_without_any_place_for_temporary_files_the_service_says_so(artifacts: Path, tmp_path: Path) -> None:
    command: list[str | Path] = ["app", "serve", "--bundle", artifacts / "current", "--port", "0"]
    empty = str(tmp_path / "cache")  # what another test has compiled would do
    with mounts(*READ_ONLY, "mount -t tmpfs -o ro empty /dev/shm") as view:
        done = run(*command, within=view.within, BODYREGION_CACHE=empty)
    assert "cannot be compiled without a writable temporary folder" in sentence(done, 3)


@pytest.mark.parametrize("place", ["artifacts", "runs", "cache"])
def test_training_onto_a_read_only_place_is_one_sentence(data: Path, tmp_path: Path, place: str) -> None:
    folder = tmp_path / place
    folder.mkdir()
    with mounts(f"mount --bind '{folder}' '{folder}'", f"mount -o remount,bind,ro '{folder}'") as view:
        done = run("training", *options(data, tmp_path), "--seed", "2", within=view.within)
    said = sentence(done)
    assert str(folder) in said
    assert said.endswith(": Read-only file system.")
    assert not list(folder.iterdir())


def test_scoring_onto_a_read_only_place_is_one_sentence(archive: Path, artifacts: Path) -> None:
    command: list[str | Path] = ["app", "classify", archive, "--bundle", artifacts / "current"]
    with mounts(f"mount --bind '{archive}' '{archive}'", f"mount -o remount,bind,ro '{archive}'") as view:
        for name in ("table.csv", "table.parquet"):
            out = archive / name
            done = run(*command, "--out", out, within=view.within)
            assert sentence(done).endswith(": Read-only file system.")
            assert not out.exists()
