"""A real small model, trained once by the command line, and a real server on it."""

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from socketserver import TCPServer

import httpx2
import numpy as np
import pytest

from app.model import bundle
from tests.running import CACHE, COMMITTED, Server, run, serving
from training import phantoms

# A shell's background job ignores SIGINT, and so would every process that the tests start and then interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

KINDS = ["AbdomenCT", "Hand", "HeadCT"]  # three classes, because nothing may depend on six
LIMITS = {
    "BODYREGION_MAX_UPLOAD_BYTES": "1000000",
    "BODYREGION_MAX_BATCH_FILES": "40",
    "BODYREGION_MAX_QUEUE": "200",
}


def pytest_configure(config: pytest.Config) -> None:
    """One cache of compiled models for all processes of a run."""
    if CACHE not in os.environ:
        os.environ[CACHE] = folder = tempfile.mkdtemp(prefix="bodyregion-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="skip a test where it starts a process or a server")


@pytest.fixture(scope="session", autouse=True)
def quick(request: pytest.FixtureRequest) -> Iterator[None]:
    """With `--quick` a test that starts something ends there, so which are quick is written down nowhere."""
    with pytest.MonkeyPatch.context() as patch:
        if request.config.getoption("quick"):
            patch.setattr(subprocess.Popen, "__init__", lambda *_, **__: pytest.skip("starts a process"))
            patch.setattr(BaseProcess, "start", lambda _: pytest.skip("starts a process"))
            patch.setattr(TCPServer, "__init__", lambda *_: pytest.skip("starts a server"))
        yield


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny data set of phantoms, in the layout and under the name of Medical MNIST."""
    root = tmp_path_factory.mktemp("data") / "MedNIST"
    phantoms.write_data_set(root, KINDS, count=60, seed=0)
    return root


SHORT = {"robust": ["--epochs", "3", "--steps", "4"]}  # by itself preset robust takes 24 epochs of 150


def options(data: Path, base: Path, preset: str = "article") -> list[str | Path]:
    """Of the training command, for which everything it writes lies under `base`."""
    folders: list[str | Path] = ["--runs", base / "runs", "--artifacts", base / "artifacts", "--cache", base / "cache"]
    return ["--data", data, "--preset", preset, *SHORT.get(preset, []), *folders]


def train(data: Path, base: Path, *more: str | Path, preset: str = "article") -> Path:
    """Run the training command; the folder of its bundles."""
    done = run("training", *options(data, base, preset), *more)
    assert (done.returncode, done.stderr) == (0, "")  # and no library speaks
    return base / "artifacts"


@pytest.fixture(scope="session")
def artifacts(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one published bundle of preset article, for all processes of a run. Tests must not change it."""
    own = tmp_path_factory.getbasetemp()
    base = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "article"
    base.mkdir(exist_ok=True)
    with (base / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # who comes first trains, the others wait
        done = (base / "artifacts" / "current").exists()
        return base / "artifacts" if done else train(data, base)


@pytest.fixture
def root(artifacts: Path, tmp_path: Path) -> Path:
    """The same of a test's own."""
    return Path(shutil.copytree(artifacts, tmp_path / "model_artifacts", symlinks=True))


@pytest.fixture(scope="session")
def robust(data: Path, elsewhere: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one of preset robust, judged on pictures from elsewhere too; hardly trained, and in use all the same."""
    root = train(data, tmp_path_factory.mktemp("robust"), "--external", elsewhere, preset="robust")
    [published] = bundle.available(root)
    bundle.use(root, published.title)
    return root


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures from another source, drawn with another seed and turned, some of them of none of the classes."""
    root = tmp_path_factory.mktemp("elsewhere")
    phantoms.write_data_set(root / "in", KINDS, count=6, seed=9)
    phantoms.write_data_set(root / "out", ["CXR"], count=6, seed=9)
    phantoms.write_data_set(root / "off_protocol", ["Hand"], count=4, seed=10)
    (root / "off_protocol" / "Hand").rename(root / "off_protocol" / "Hand_turned")
    files = [path.relative_to(root).as_posix() for path in root.rglob("*.png")]
    (root / "provenance.csv").write_text("file,source\n" + "".join(f"{file},drawn@1\n" for file in files))
    return root


@pytest.fixture(scope="session")
def server(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(artifacts / "current", tmp_path_factory.mktemp("server") / "log", **LIMITS) as started:
        yield started


@pytest.fixture
def client(server: Server) -> Iterator[httpx2.Client]:
    with server.client() as opened:
        yield opened


@pytest.fixture(scope="session")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on the committed bundle, which can tell strangers and explain."""
    with serving(COMMITTED, tmp_path_factory.mktemp("committed") / "log", **LIMITS) as started:
        yield started


@pytest.fixture
def asking(committed: Server) -> Iterator[httpx2.Client]:
    with committed.client() as opened:
        yield opened


@pytest.fixture
def hand() -> bytes:
    """An unseen phantom of a hand, as PNG."""
    return phantoms.png(phantoms.draw("Hand", np.random.default_rng(12345)))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real pictures; a test that needs it is skipped, saying so, where there is none."""
    if "TEST_DATA_DIR" not in os.environ:
        pytest.skip("TEST_DATA_DIR is not set, so there are no real pictures")
    return Path(os.environ["TEST_DATA_DIR"])
