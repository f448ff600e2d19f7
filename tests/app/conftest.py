"""A service with keys, for the tests of access, by one worker and by two; a bundle that is to be compiled."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from app.model import bundle
from app.model.bundle import COMPILED
from tests.app.guarded import KEYS, ORIGIN
from tests.running import Server, serving


@pytest.fixture(scope="session", params=[1, 2], ids=["one worker", "two workers"])
def guarded(
    request: pytest.FixtureRequest, artifacts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server with keys from a file, one foreign origin, and a folder for its series, telling all it can."""
    base = tmp_path_factory.mktemp("guarded")
    (base / "series").mkdir()
    (base / "keys").write_text("\n".join(KEYS) + "\n")
    chosen = {
        "BODYREGION_API_KEYS": str(base / "keys"),
        "BODYREGION_CORS_ORIGINS": ORIGIN,
        "BODYREGION_LOG_LEVEL": "debug",
        "BODYREGION_MAX_PIXELS": "100000",
        "BODYREGION_MAX_UPLOAD_BYTES": "1000000",
        "BODYREGION_WORKERS": str(request.param),
        "PROMETHEUS_MULTIPROC_DIR": str(base / "series"),  # one worker writes there
        "TMPDIR": str(base / "series"),  # two make a folder of their own in here
    }
    with serving(artifacts / "current", base / "log", **chosen) as started:
        yield started


@pytest.fixture
def stranger(guarded: Server) -> Iterator[httpx2.Client]:
    with guarded.client() as opened:
        yield opened


@pytest.fixture
def bare(root: Path) -> Path:
    """The folder of a bundle without a compiled form, as they were before there was such a thing."""
    whole = bundle.read(root / "current")
    with bundle.staging(root) as folder:
        shutil.copytree(whole.folder, folder, dirs_exist_ok=True)
        (folder / COMPILED).unlink()
        published = bundle.publish(bundle.seal(folder, whole.manifest), root)
    bundle.use(root, published.title)
    shutil.rmtree(whole.folder)
    return published.folder
