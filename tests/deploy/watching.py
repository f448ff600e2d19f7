"""A real Prometheus that watches a server."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.running import free_port, wait_until

Found = Callable[[str], list[dict[str, Any]]]


@contextmanager
def watching(address: str, folder: Path, base: Path) -> Iterator[Found]:
    """Prometheus on the configuration in `folder`, but asking `address`, every second; answers queries."""
    text = (folder / "prometheus.yml").read_text()
    assert "bodyregion:8000" in text
    (base / "prometheus.yml").write_text(
        text.replace("bodyregion:8000", address.removeprefix("http://")).replace("15s", "1s")
    )
    (base / "rules.yml").write_text((folder / "rules.yml").read_text().replace("interval: 1m", "interval: 1s"))
    port = free_port()
    options = [f"--config.file={base / 'prometheus.yml'}", f"--storage.tsdb.path={base / 'data'}"]
    with (base / "log").open("wb") as log:
        process = subprocess.Popen(
            ["prometheus", *options, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log
        )
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
            wait_until(lambda: _ready(client))
            yield lambda query: list(_query(client, query))
    finally:
        process.terminate()
        process.wait(30)


def _ready(client: httpx2.Client) -> bool:
    try:
        return client.get("/-/ready").status_code == 200
    except httpx2.ConnectError:
        return False


def _query(client: httpx2.Client, query: str) -> list[dict[str, Any]]:
    answer = client.get("/api/v1/query", params={"query": query})
    assert answer.status_code == 200, answer.text
    result: list[dict[str, Any]] = answer.json()["data"]["result"]
    return result
