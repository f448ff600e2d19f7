"""A bundle that can refuse and explain, through the same routes."""

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2
import keras
import numpy as np
import pytest
from PIL import Image

from app.model import bundle
from tests.bundles import classifier
from tests.conftest import KINDS
from tests.running import COMMITTED, serving
from training import phantoms
from training.occlusion import hottest


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    with serving(COMMITTED, tmp_path_factory.mktemp("explain") / "log") as server, server.client() as opened:
        yield opened


def test_strangeness_decides_acceptance_and_a_stranger_gets_no_label(client: httpx2.Client) -> None:
    ood = bundle.read(COMMITTED).manifest.ood
    assert ood is not None
    rng = np.random.default_rng(0)
    noise = [phantoms.png(rng.integers(0, 256, (64, 64), np.uint8)) for _ in range(8)]
    drawn = [phantoms.png(phantoms.draw(kind, rng)) for kind in KINDS for _ in range(8)]
    answers = [client.post("/predict", files={"file": data}).json() for data in noise + drawn]
    for answer in answers:
        assert 0 <= answer["ood_score"] <= 1
        assert answer["accepted"] == (answer["ood_score"] <= ood.threshold)
        assert (answer["label"] is None) == (not answer["accepted"])
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_the_committed_bundle_refuses_noise() -> None:
    committed = bundle.read(COMMITTED)
    noise = np.random.default_rng(0).integers(0, 256, (16, 64, 64, 1), np.uint8)
    answers = classifier(COMMITTED)(noise)
    assert answers.ood_score is not None
    assert committed.manifest.ood is not None
    assert (answers.ood_score > committed.manifest.ood.threshold).all()


def test_evidence_averages_to_the_logits_of_the_probabilities(client: httpx2.Client, hand: bytes) -> None:
    answer = client.post("/explain", files={"file": hand}, headers={"Accept": "application/json"}).json()
    logits = np.array([np.mean(answer["evidence"][name]) for name in answer["probabilities"]])
    scaled = np.exp(logits / bundle.read(COMMITTED).manifest.temperature)
    assert list(answer["probabilities"].values()) == pytest.approx(scaled / scaled.sum(), abs=1e-4)
    assert answer["explained"] == list(answer["probabilities"])[int(np.argmax(logits))]


def test_the_explanation_is_a_picture_of_the_same_shape(client: httpx2.Client) -> None:
    wide = phantoms.png(np.tile(phantoms.draw("Hand", np.random.default_rng(0)), (1, 2)))
    answer = client.post("/explain", content=wide, headers={"content-type": "image/png"})
    assert answer.headers["content-type"] == "image/png"
    image = Image.open(io.BytesIO(answer.content))
    assert (image.size, image.mode) == ((128, 64), "RGB")


def test_a_bad_picture_is_refused_as_everywhere(client: httpx2.Client) -> None:
    answer = client.post("/explain", files={"file": b"no picture"})
    assert answer.status_code == 415
    assert json.loads(answer.content)["status"] == 415


def test_a_bundle_without_evidence_cannot_explain(artifacts: Path, tmp_path: Path, hand: bytes) -> None:
    with serving(artifacts / "current", tmp_path / "log") as server, server.client() as plain:
        assert plain.post("/explain", files={"file": hand}).status_code == 422


def test_another_network_gives_another_map() -> None:
    pictures = np.stack([phantoms.draw(kind, np.random.default_rng(n)) for kind in KINDS for n in range(10)])
    inputs, every = pictures[:, :, :, np.newaxis], np.arange(len(pictures))
    answers = classifier(COMMITTED)(inputs)
    labels = answers.probabilities.argmax(axis=1)
    shuffled = keras.models.load_model(COMMITTED / bundle.MODEL)
    rng = np.random.default_rng(0)
    shuffled.set_weights([rng.permuted(weights) for weights in shuffled.get_weights()])
    other = shuffled.predict_on_batch(inputs)["evidence"]
    assert answers.evidence is not None
    own, strange = (hottest(maps[every, :, :, labels], 64) for maps in (answers.evidence, other))
    assert np.mean(own & strange) / np.mean(own | strange) < 0.5


def test_a_manifest_that_hides_the_ood_score_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(COMMITTED.resolve(), folder)
    sealed = bundle.seal(folder, bundle.read(folder).manifest.model_copy(update={"ood": None}))
    with pytest.raises(bundle.BundleError, match="ood_score"):
        classifier(sealed.folder)
