"""A bundle that can refuse and explain, through the same routes."""

import io
import shutil
from pathlib import Path

import httpx2
import keras
import numpy as np
import pytest
from PIL import Image

from app.model import bundle
from tests.bundles import classifier
from tests.conftest import KINDS
from tests.running import COMMITTED
from training import phantoms
from training.occlusion import hottest


def test_strangeness_decides_acceptance_and_a_stranger_gets_no_label(asking: httpx2.Client) -> None:
    ood = bundle.read(COMMITTED).manifest.ood
    assert ood is not None
    rng = np.random.default_rng(0)
    noise = [phantoms.png(rng.integers(0, 256, (64, 64), np.uint8)) for _ in range(16)]
    drawn = [phantoms.png(phantoms.draw(kind, rng)) for kind in KINDS for _ in range(8)]
    answers = [asking.post("/predict", files={"file": data}).json() for data in noise + drawn]
    for answer in answers:
        assert 0 <= answer["ood_score"] <= 1
        assert answer["accepted"] == (answer["ood_score"] <= ood.threshold)
        assert (answer["label"] is None) == (not answer["accepted"])
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert not any(answer["accepted"] for answer in answers[: len(noise)])


def test_evidence_averages_to_the_logits_of_the_probabilities(asking: httpx2.Client, hand: bytes) -> None:
    answer = asking.post("/explain", files={"file": hand}, headers={"Accept": "application/json"}).json()
    logits = np.array([np.mean(answer["evidence"][name]) for name in answer["probabilities"]])
    scaled = np.exp(logits / bundle.read(COMMITTED).manifest.temperature)
    assert list(answer["probabilities"].values()) == pytest.approx(scaled / scaled.sum(), abs=1e-4)
    assert answer["explained"] == list(answer["probabilities"])[int(np.argmax(logits))]


def test_the_explanation_is_a_picture_of_the_same_shape(asking: httpx2.Client) -> None:
    wide = phantoms.png(np.tile(phantoms.draw("Hand", np.random.default_rng(0)), (1, 2)))
    answer = asking.post("/explain", content=wide, headers={"content-type": "image/png"})
    assert answer.headers["content-type"] == "image/png"
    image = Image.open(io.BytesIO(answer.content))
    assert (image.size, image.mode) == ((128, 64), "RGB")


def test_a_bad_picture_is_refused_as_everywhere(asking: httpx2.Client) -> None:
    answer = asking.post("/explain", files={"file": b"no picture"})
    assert answer.status_code == 415
    assert answer.json()["status"] == 415


def test_a_bundle_without_evidence_cannot_explain(client: httpx2.Client, hand: bytes) -> None:
    assert client.post("/explain", files={"file": hand}).status_code == 422


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
    folder = Path(shutil.copytree(COMMITTED.resolve(), tmp_path / "bundle"))
    sealed = bundle.seal(folder, bundle.read(folder).manifest.model_copy(update={"ood": None}))
    with pytest.raises(bundle.BundleError, match="ood_score"):
        classifier(sealed.folder)
