"""The same bundle on Keras' OpenVINO backend."""

from pathlib import Path

import numpy as np
import pytest

from tests.running import COMMITTED, serving
from training import phantoms

OTHER = {"KERAS_BACKEND": "openvino"}


@pytest.mark.parametrize("committed", [True, False])
def test_it_answers_as_tensorflow_does(artifacts: Path, tmp_path: Path, committed: bool) -> None:
    folder = COMMITTED if committed else artifacts / "current"
    files = [phantoms.png(picture) for picture in phantoms.candidates(seed=2)[::5]]
    answers = []
    for backend in ({}, OTHER):
        with serving(folder, tmp_path / "log", **backend) as server, server.client() as client:
            answers.append([client.post("/predict", content=file).json() for file in files])
    for one, other in zip(*answers, strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=2e-2)
        assert (one["label"], one["accepted"]) == (other["label"], other["accepted"])


def test_its_heat_map_is_the_same(tmp_path: Path, hand: bytes) -> None:
    grids = []
    for backend in ({}, OTHER):
        with serving(COMMITTED, tmp_path / "log", **backend) as server, server.client() as client:
            answer = client.post("/explain", content=hand, headers={"accept": "application/json"})
            grids.append(answer.json()["evidence"]["Hand"])
    assert np.allclose(grids[0], grids[1], rtol=5e-2, atol=5e-2)
