"""A real small model, trained once by the command line, and a real server on it."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx2
import numpy as np
import pytest

from tests.running import Server, run, serving
from training import phantoms

KINDS = ["AbdomenCT", "Hand", "HeadCT"]  # three classes, because nothing may depend on six


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny data set of phantoms, in the layout of Medical MNIST."""
    root = tmp_path_factory.mktemp("data") / "Phantoms"
    phantoms.write_data_set(root, KINDS, count=60, seed=0)
    return root


@pytest.fixture(scope="session")
def artifacts(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one published bundle, trained on the phantoms. Tests must not change it."""
    base = tmp_path_factory.mktemp("trained")
    options: list[str | Path] = [
        "--data",
        data,
        "--runs",
        base / "runs",
        "--artifacts",
        base / "artifacts",
        "--cache",
        base / "cache",
    ]
    done = run("training", *options)
    assert done.returncode == 0, done.stderr
    return base / "artifacts"


@pytest.fixture(scope="session")
def server(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    limits = {"BODYREGION_MAX_UPLOAD_BYTES": "1000000", "BODYREGION_MAX_BATCH_FILES": "40"}
    with serving(artifacts / "current", tmp_path_factory.mktemp("server") / "log", **limits) as started:
        yield started


@pytest.fixture
def client(server: Server) -> Iterator[httpx2.Client]:
    with server.client() as opened:
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
