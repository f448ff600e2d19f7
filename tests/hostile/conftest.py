"""One server, for everything that is wrong below the picture."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.hostile.wire import BUDGET, MARKER, MOST
from tests.running import Server, serving


@pytest.fixture(scope="session")
def target(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with small limits, which after everything here has failed at nothing and repeated nothing."""
    limits = {"BODYREGION_MAX_UPLOAD_BYTES": str(MOST), "BODYREGION_MAX_REQUEST_BYTES": str(BUDGET // 2)}
    with serving(artifacts / "current", tmp_path_factory.mktemp("hostile") / "log", **limits) as started:
        yield started
        said = started.output.read_text()
        assert not [line for line in started.logs() if line.get("status", 0) >= 500 or line["level"] == "error"]
        assert "Traceback" not in said
        assert MARKER.decode() not in said


@pytest.fixture
def normal(target: Server) -> Iterator[httpx2.Client]:
    with target.client() as opened:
        yield opened
