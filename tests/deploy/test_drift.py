"""What the bundle's own test split gave stands beside what comes in."""

from pathlib import Path

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.model import bundle
from tests.bundles import point
from tests.conftest import KINDS
from tests.running import BEFORE, COMMITTED, serving, wait_until


def reference(client: httpx2.Client) -> dict[str, float]:
    """The reference series by label, or by name where they have none."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples if "_reference_" in sample.name]
    return {sample.labels.get("label", sample.name): sample.value for sample in samples}


def test_the_model_tells_its_reference(client: httpx2.Client) -> None:
    model = client.get("/model").json()
    told, figures = model["reference"], model["metrics"]
    assert list(told["class_share"]) == KINDS
    assert sum(told["class_share"].values()) == pytest.approx(1)
    assert told["class_share"]["Hand"] == figures["test_recall_Hand"]["n"] / figures["test_accuracy"]["n"]
    assert told["confidence"] == figures["test_confidence"]["value"]
    assert told["accepted"] is None  # preset article cannot tell strangers


def test_the_reference_follows_the_bundle_in_every_worker(artifacts: Path, tmp_path: Path) -> None:
    link = tmp_path / "current"
    link.symlink_to(COMMITTED.resolve())
    with serving(link, tmp_path / "log", BODYREGION_WORKERS="2") as server, server.client() as client:
        told = client.get("/model").json()["reference"]
        before = reference(client)
        assert {name: before[name] for name in told["class_share"]} == told["class_share"]
        assert before["bodyregion_reference_acceptance"] == told["accepted"]
        assert before["bodyregion_reference_confidence"] == told["confidence"]
        point(link, (artifacts / "current").resolve())
        wait_until(lambda: server.output.read_text().count("bundle taken over") == 2)
        after = reference(client)
        gone = {name for name, share in after.items() if name in before and share == 0}
        assert gone == set(before) & {"BreastMRI", "CXR", "ChestCT"}
        assert sum(after[kind] for kind in KINDS) == pytest.approx(1)
        assert "bodyregion_reference_acceptance" not in after
        assert after["bodyregion_reference_confidence"] == client.get("/model").json()["reference"]["confidence"]
        point(link, BEFORE)  # scored before confidence was kept
        wait_until(lambda: server.output.read_text().count("bundle taken over") == 4)
        assert "bodyregion_reference_confidence" not in reference(client)


def test_a_bundle_that_was_never_scored_has_no_reference(root: Path, tmp_path: Path) -> None:
    folder = root / "current"
    bundle.seal(folder, bundle.read(folder).manifest.model_copy(update={"metrics": {}}))
    with serving(folder, tmp_path / "log") as server, server.client() as client:
        assert client.get("/model").json()["reference"] is None
        assert reference(client) == {}
