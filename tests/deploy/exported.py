"""A real server that has met every kind of request, and what it then tells Prometheus."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx2
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from app.model.bundle import read, seal
from app.model.manifest import Metric
from tests.bundles import point
from tests.running import COMMITTED, Server, serving, wait_until
from training import phantoms

NOISE = phantoms.png(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8))  # none of the classes

HAND = phantoms.png(phantoms.draw("Hand", np.random.default_rng(12345)))

PROBES = ("/health", "/readyz", "/livez", "/v2/health/ready", "/v2/health/live")

Series = dict[str, dict[str, set[str]]]  # the values of each label, by name


@contextmanager
def asked(base: Path) -> Iterator[Server]:
    """Two workers on a bundle that was refused and taken over once, after one request of each kind."""
    bundle, limits = base / "bundle", {"BODYREGION_MAX_UPLOAD_BYTES": "100000", "BODYREGION_DRAIN_SECONDS": "600"}
    bundle.symlink_to(COMMITTED.resolve())
    with serving(bundle, base / "log", BODYREGION_WORKERS="2", **limits) as server:
        with server.client() as client:
            _ask(client)
        _change(server, bundle)
        yield server


def _ask(client: httpx2.Client) -> None:
    kinds = {HAND: 200, NOISE: 200, HAND[:-20]: 400, b"text": 415, b"": 422, bytes(200_000): 413}
    for data, status in kinds.items():
        assert client.post("/predict", files={"file": data}).status_code == status
    assert client.post("/predict/batch", files=[("files", HAND), ("files", NOISE)]).status_code == 200
    assert client.post("/explain", files={"file": HAND}).status_code == 200
    for route in (*PROBES, "/model", "/metrics", "/docs"):
        assert client.get(route).status_code == 200
    assert client.get("/nowhere").status_code == 404


def _change(server: Server, bundle: Path) -> None:
    """Point `bundle` at a damaged copy, and then at a sound one that knows the mean confidence of its test split."""
    for folder, said in (("damaged", "bundle refused"), ("sound", "bundle taken over")):
        shutil.copytree(COMMITTED.resolve(), bundle.parent / folder)
        if folder == "damaged":
            (bundle.parent / folder / "model.keras").write_bytes(b"")
        else:
            manifest = read(bundle.parent / folder).manifest
            confidence = {"test_confidence": Metric(value=0.99, low=0.98, high=1, n=5300)}
            seal(bundle.parent / folder, manifest.model_copy(update={"metrics": manifest.metrics | confidence}))
        point(bundle, folder)
        wait_until(partial(_both, server, said))


def _both(server: Server, said: str) -> bool:
    return [line["event"] for line in server.logs()].count(said) >= 2


def series(server: Server) -> Series:
    """What /metrics has, the refusal of a probe while leaving included; the service has minutes to do that."""
    server.process.terminate()
    with server.client() as client:
        wait_until(lambda: client.get("/readyz").status_code == 503)
        text = client.get("/metrics").text
    found: Series = {}
    for sample in (sample for family in text_string_to_metric_families(text) for sample in family.samples):
        labels = found.setdefault(sample.name, {})
        for label, value in sample.labels.items():
            labels.setdefault(label, set()).add(value)
    return found
