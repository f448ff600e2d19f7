"""`python -m app classify --cluster`: real Ray nodes, some of which do not live."""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from PIL import Image

from tests.app.heap import write_heap
from tests.app.scored import begin, classify, copies, rows
from tests.benchmarks.processes import family
from tests.hostile.case import HAND, encoded
from tests.running import COMMITTED, ROOT, free_port, run, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
MANY = 2400
SECRET = {"RAY_AUTH_MODE": "token", "RAY_AUTH_SECRET": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Pictures so large that a core is busy with them for some seconds."""
    return copies(tmp_path / "many", encoded(Image.fromarray(HAND).resize((1024, 1024)), "PNG"), MANY)


@contextmanager
def node(log: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """One more machine of a cluster, with one core."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1", *arguments]
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | SECRET, stdout=file, stderr=file)
    try:
        wait_until(lambda: "This command will now block" in log.read_text())
        yield process
    finally:
        cut(process)  # told to leave it would take half a minute


def cut(process: subprocess.Popen[bytes]) -> None:
    """As a power cut would: with all it has started, some of which Ray puts into groups of their own."""
    for pid in family(process.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


@pytest.fixture
def head(tmp_path: Path) -> Iterator[str]:
    """The address of a cluster of one node."""
    ports = [free_port(), free_port()]
    with tempfile.TemporaryDirectory(prefix="ray") as folder:  # the paths of sockets must be short
        options = f"--head --port={ports[0]} --ray-client-server-port={ports[1]} --temp-dir={folder}".split()
        with node(tmp_path / "head.log", *options, "--include-dashboard=false"):
            yield f"127.0.0.1:{ports[0]}"


def parts(out: Path, pattern: str) -> int:
    return len(list(out.with_name(f"{out.name}.parts").glob(pattern)))


def test_it_gives_the_rows_of_a_local_run(data: Path, artifacts: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    for number, file in enumerate(sorted(data.rglob("*.*"))):
        (archive / f"{number}.png").symlink_to(file)
    (archive / "broken.png").write_bytes(file.read_bytes()[:300])
    with zipfile.ZipFile(archive / "older.zip", "w") as packed:
        packed.write(file, "1/head.png")
    bundle, table = artifacts / "current", tmp_path / "there.csv"
    classify(archive, tmp_path / "here.csv", bundle)
    classify(archive, table, bundle, "--cluster", "local", "--workers", "2", **SECRET)
    here, there = rows(tmp_path / "here.csv"), rows(table)
    assert there.keys() == here.keys()
    for path, row in here.items():
        assert {name: _value(text) for name, text in row.items()} == {
            name: pytest.approx(_value(text), abs=1e-5) for name, text in there[path].items()
        }
    assert not (tmp_path / "there.csv.parts").exists()


@pytest.mark.parametrize("slices", [[], ["--slices", "4"]])
def test_it_gives_the_series_of_a_local_run(slices: list[str], tmp_path: Path) -> None:
    write_heap(heap := tmp_path / "heap")
    classify(heap, tmp_path / "here.csv", COMMITTED, "--series", tmp_path / "here-series.csv", *slices)
    more = ["--cluster", "local", "--workers", "2", *slices]
    classify(heap, tmp_path / "there.csv", COMMITTED, "--series", tmp_path / "there-series.csv", *more, **SECRET)
    assert (tmp_path / "there-series.csv").read_bytes() == (tmp_path / "here-series.csv").read_bytes()
    assert rows(tmp_path / "there.csv") == rows(tmp_path / "here.csv")


def _value(text: str) -> str | float:
    return float(text) if text.replace(".", "").replace("e-", "").isdigit() else text


def test_a_node_that_dies_in_mid_run_costs_no_row(many: Path, artifacts: Path, head: str, tmp_path: Path) -> None:
    out, log = tmp_path / "table.csv", tmp_path / "log"
    with node(tmp_path / "node.log", "--address", head) as victim:
        process = begin(many, out, artifacts / "current", "--cluster", head, **SECRET)
        wait_until(lambda: parts(out, ".*") >= 2 or process.poll() is not None, 180)  # both nodes have a batch in hand
        cut(victim)
        assert process.poll() is None, log.read_text()
        assert process.wait(240) == 0, log.read_text()
    assert {row["label"] for row in rows(out).values()} == {"Hand"}
    assert len(rows(out)) == MANY


def test_started_again_it_does_what_is_missing(many: Path, artifacts: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    process = begin(many, out, artifacts / "current", "--cluster", "local", "--workers", "1", **SECRET)
    wait_until(lambda: parts(out, "[!.]*") > 1, 180)
    cut(process)
    finished = "".join(part.read_text() for part in out.with_name("table.csv.parts").glob("[!.]*"))
    done = [*rows(out), *(json.loads(line)["path"] for line in finished.splitlines())]
    assert 0 < len(done) < MANY
    for path in map(Path, done):  # judged again they would be none
        path.unlink()
        path.write_text("no picture")
    classify(many, out, artifacts / "current", "--cluster", "local", "--workers", "2", **SECRET)
    assert len(rows(out)) == MANY
    assert {row["label"] for row in rows(out).values()} == {"Hand"}


def refused(paths: Path, out: Path, bundle: Path, address: str, **environment: str) -> subprocess.CompletedProcess[str]:
    options: list[str | Path] = ["--out", out, "--bundle", bundle, "--cluster", address]
    return run("app", "classify", paths, *options, cwd=ROOT, **SECRET | environment)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "auto", "nonsense"])
def test_a_cluster_out_of_reach_is_one_sentence(data: Path, artifacts: Path, tmp_path: Path, address: str) -> None:
    done = refused(data, tmp_path / "table.csv", artifacts / "current", address)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"error: No Ray cluster can be reached at {address}."


def test_without_ray_it_says_how_to_get_it(data: Path, artifacts: Path, tmp_path: Path) -> None:
    (tmp_path / "ray.py").write_text("raise ImportError")
    done = refused(data, tmp_path / "table.csv", artifacts / "current", "local", PYTHONPATH=str(tmp_path))
    said = f"error: A cluster needs ray[data]: {sys.executable} -m pip install 'ray[data]'\n"
    assert (done.returncode, done.stderr) == (2, said)
