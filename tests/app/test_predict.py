"""POST /predict and /predict/batch on a real server with a real small model."""

from pathlib import Path

import httpx2
import numpy as np
import pytest
from PIL import Image

from app.imaging import decode, to_input
from app.model import bundle
from tests.app.asked import assert_problem, at_once
from tests.bundles import classifier
from tests.conftest import KINDS
from tests.hostile.case import encoded
from tests.running import Server
from training import phantoms


def form(*files: bytes, field: str = "files") -> list[tuple[str, tuple[str, bytes]]]:
    return [(field, ("a picture.png", data)) for data in files]


def test_a_form_and_a_raw_body_get_the_same_answer(client: httpx2.Client, hand: bytes) -> None:
    by_form = client.post("/predict", files={"file": hand})
    raw = client.post("/predict", content=hand, headers={"content-type": "image/png"})
    assert by_form.status_code == raw.status_code == 200
    assert by_form.json() == raw.json()
    assert by_form.json()["label"] == "Hand"


def test_a_prediction_has_the_promised_shape(client: httpx2.Client, hand: bytes, artifacts: Path) -> None:
    answer = client.post("/predict", files={"file": hand}).json()
    assert list(answer["probabilities"]) == KINDS
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-6)
    assert answer["confidence"] == max(answer["probabilities"].values())
    assert answer["accepted"] is None
    assert answer["ood_score"] is None
    manifest = bundle.read(artifacts / "current").manifest
    assert answer["model"] == {"name": manifest.name, "version": manifest.version}


def test_training_and_serving_agree_to_a_millionth(client: httpx2.Client, artifacts: Path, data: Path) -> None:
    judge = classifier(artifacts / "current")
    files = [path.read_bytes() for path in sorted(data.glob("*/00000*.png"))]
    expected = judge(np.stack([to_input(decode(file), judge.size) for file in files])).probabilities
    answers = [client.post("/predict", files={"file": file}).json() for file in files]
    served = np.array([list(answer["probabilities"].values()) for answer in answers])
    assert np.abs(served - expected).max() <= 1e-6


def test_every_answer_says_who_gave_it_and_how_long_it_took(client: httpx2.Client, hand: bytes) -> None:
    answer = client.post("/predict", files={"file": hand}, headers={"X-Request-ID": "ward-7"})
    assert answer.headers["x-request-id"] == "ward-7"
    assert answer.headers["x-model-version"] == answer.json()["model"]["version"]
    assert [part.split(";")[0] for part in answer.headers["server-timing"].split(", ")] == ["decode", "queue", "infer"]


@pytest.mark.parametrize("given", ["", "two words", "x" * 200, "<script>"])
def test_a_request_id_that_is_no_plain_word_is_replaced(client: httpx2.Client, given: str) -> None:
    echoed = client.get("/nowhere", headers={"X-Request-ID": given}).headers["x-request-id"]
    assert echoed != given
    assert echoed.isalnum()


@pytest.mark.parametrize(
    ("content", "status"),
    [
        pytest.param(b"", 422, id="nothing"),
        pytest.param(b"not a picture", 415, id="text"),
        pytest.param(phantoms.png(phantoms.draw("Hand", np.random.default_rng(0)))[:-30], 400, id="truncated"),
        pytest.param(phantoms.png(np.zeros((4, 4), np.uint8)), 422, id="tiny"),
        pytest.param(b"\0" * 1_000_001, 413, id="too many bytes"),
    ],
)
def test_a_bad_picture_is_refused_alike_as_form_and_as_body(client: httpx2.Client, content: bytes, status: int) -> None:
    for answer in (
        client.post("/predict", content=content, headers={"content-type": "application/octet-stream"}),
        client.post("/predict", files={"file": content}),
    ):
        assert_problem(answer, status)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        pytest.param(b"--x\r\nhello", 400, id="no headers"),
        pytest.param(b"", 400, id="no body"),
        pytest.param(b"--x--\r\n", 422, id="no file"),
        pytest.param(b"--x\r\n\r\nhello", 400, id="cut short"),
    ],
)
def test_a_broken_form_is_a_clear_refusal(client: httpx2.Client, content: bytes, status: int) -> None:
    answer = client.post("/predict", content=content, headers={"content-type": "multipart/form-data; boundary=x"})
    assert_problem(answer, status)


def test_a_field_of_another_name_is_not_the_picture(client: httpx2.Client, hand: bytes) -> None:
    answer = client.post("/predict", files={"picture": hand})
    assert answer.status_code == 422
    assert "file" in answer.json()["detail"]


def test_a_batch_answers_in_order_and_a_bad_file_harms_no_other(client: httpx2.Client) -> None:
    pictures = [phantoms.png(phantoms.draw(kind, np.random.default_rng(7))) for kind in KINDS]
    answer = client.post("/predict/batch", files=form(*pictures, b"not a picture", *pictures))
    results = answer.json()["results"]
    assert answer.status_code == 200
    assert [result["index"] for result in results] == list(range(7))
    assert [result.get("label") for result in results] == [*KINDS, None, *KINDS]
    assert results[3]["error"]["status"] == 415
    alone = client.post("/predict", files={"file": pictures[0]}).json()
    assert results[0]["probabilities"] == pytest.approx(alone["probabilities"], abs=1e-6)


def test_a_batch_of_too_many_files_or_none_is_refused(client: httpx2.Client, hand: bytes) -> None:
    assert client.post("/predict/batch", files=form(*[hand] * 40)).status_code == 200
    assert client.post("/predict/batch", files=form(*[hand] * 41)).status_code == 413
    assert client.post("/predict/batch", files=form(*[hand] * 80)).status_code == 413
    assert client.post("/predict/batch", files={"other": hand}).status_code == 422
    assert client.post("/predict/batch", content=hand).status_code == 400


def test_a_large_jpeg_gets_the_answer_its_full_decode_would_give(client: httpx2.Client, artifacts: Path) -> None:
    large = Image.fromarray(phantoms.draw("Hand", np.random.default_rng(5))).resize((2048, 2048))
    data = encoded(large, "JPEG", quality=90)
    judge = classifier(artifacts / "current")
    expected = judge(to_input(decode(data), judge.size)[np.newaxis]).probabilities[0]
    answer = client.post("/predict", content=data).json()
    assert np.abs(expected - list(answer["probabilities"].values())).max() <= 0.01


def test_answers_belong_to_their_pictures_under_concurrency(server: Server) -> None:
    kinds = KINDS * 40
    drawn = [phantoms.png(phantoms.draw(kind, np.random.default_rng([3, n]))) for n, kind in enumerate(kinds)]
    answers = at_once(server, *[("/predict", {"files": {"file": data}}) for data in drawn])
    assert [answer.json()["label"] for answer in answers] == kinds
