"""The OpenAPI document held against a real server by schemathesis, every check on: what it says is what happens."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import COMMITTED, ROOT, Server, serving

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
KEY = "drawn-for-this-test"
EXAMPLES = 100  # for each operation, beside those that schemathesis works out
CHOSEN = ["--checks=all", "--seed=1", f"--max-examples={EXAMPLES}", "--generation-database=none", "--no-color"]


@pytest.fixture(scope="module", params=[None, KEY], ids=["open", "with a key"])
def asked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, str | None]]:
    """A server, and the key it asks for, if any."""
    keys = {"BODYREGION_API_KEYS": request.param} if request.param else {}
    with serving(COMMITTED, tmp_path_factory.mktemp("openapi") / "log", **keys) as server:
        yield server, request.param


def test_the_service_does_what_its_document_says(asked: tuple[Server, str | None], tmp_path: Path) -> None:
    server, key = asked
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")),
            *("run", f"{server.address}/openapi.json", *CHOSEN),
            *(["--header", f"X-API-Key: {key}"] if key else []),
        ],
        cwd=tmp_path,  # it leaves a folder of reports
        env={"PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.hostile.bodies", "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not [line for line in server.logs() if line.get("status", 200) >= 500]
