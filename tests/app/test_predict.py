"""POST /predict and /predict/batch on a real server with a real small model."""

import asyncio
import io
import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import numpy as np
import pytest
from PIL import Image

from app.imaging import decode, to_input
from app.model import bundle
from tests.bundles import classifier
from tests.conftest import KINDS
from tests.running import Server, serving, wait_until
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
        assert answer.status_code == status
        assert_problem(answer)


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        pytest.param(b"--x\r\nhello", "multipart/form-data; boundary=x", 400, id="no headers"),
        pytest.param(b"--x--\r\n", "multipart/form-data", 400, id="no boundary"),
        pytest.param(b"", "multipart/form-data; boundary=x", 400, id="no body"),
        pytest.param(b"--x--\r\n", "multipart/form-data; boundary=x", 422, id="no file"),
        pytest.param(b"--x\r\n\r\nhello", "multipart/form-data; boundary=x", 400, id="cut short"),
    ],
)
def test_a_broken_form_is_a_clear_refusal(
    client: httpx2.Client, content: bytes, content_type: str, status: int
) -> None:
    answer = client.post("/predict", content=content, headers={"content-type": content_type})
    assert answer.status_code == status
    assert_problem(answer)


def test_an_encoded_body_is_not_unpacked(client: httpx2.Client, hand: bytes) -> None:
    answer = client.post("/predict", content=hand, headers={"content-encoding": "gzip"})
    assert answer.status_code == 415


def test_a_field_of_another_name_is_not_the_picture(client: httpx2.Client, hand: bytes) -> None:
    answer = client.post("/predict", files={"picture": hand})
    assert answer.status_code == 422
    assert "file" in answer.json()["detail"]


def test_what_is_not_there_is_a_problem_too(client: httpx2.Client) -> None:
    for answer, status in ((client.get("/nowhere"), 404), (client.get("/predict"), 405)):
        assert answer.status_code == status
        assert_problem(answer)


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


def test_a_body_that_declares_too_much_is_refused_before_it_is_sent(server: Server) -> None:
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 999999999\r\n\r\n"
    assert exchange(server, head).startswith(b"HTTP/1.1 413")


def test_a_body_that_declares_nothing_is_counted_and_cut_off(server: Server) -> None:
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ntransfer-encoding: chunked\r\n\r\n"
    piece = b"20000\r\n" + b"\0" * 0x20000 + b"\r\n"
    assert exchange(server, head + piece * 9).startswith(b"HTTP/1.1 413")


def test_bodies_on_their_way_share_a_budget(artifacts: Path, tmp_path: Path) -> None:
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 1500\r\n\r\n"
    limits = {"BODYREGION_MAX_REQUEST_BYTES": "1000", "BODYREGION_MAX_UPLOAD_BYTES": "2000"}
    with serving(artifacts / "current", tmp_path / "log", **limits) as server:
        address = urlsplit(server.address)
        with socket.create_connection((address.hostname, address.port), timeout=20) as slow:
            slow.sendall(head + b"x" * 600)
            wait_until(lambda: exchange(server, head + b"x" * 1500).startswith(b"HTTP/1.1 503"))
            slow.sendall(b"x" * 900)
            assert slow.recv(4096).startswith(b"HTTP/1.1 415")
        assert exchange(server, head + b"x" * 1500).startswith(b"HTTP/1.1 415")


def test_a_body_that_stops_coming_is_given_up(artifacts: Path, tmp_path: Path) -> None:
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 1000\r\n\r\nsome"
    with serving(artifacts / "current", tmp_path / "log", BODYREGION_REQUEST_TIMEOUT_SECONDS="0.5") as server:
        assert exchange(server, head).startswith(b"HTTP/1.1 408")


def test_an_answer_that_is_not_ready_in_time_is_a_504(artifacts: Path, tmp_path: Path) -> None:
    huge = phantoms.png(np.zeros((6000, 6000), np.uint8))  # small to send, slow to decode
    with serving(artifacts / "current", tmp_path / "log", BODYREGION_REQUEST_TIMEOUT_SECONDS="0.05") as server:
        with server.client() as client:
            answer = client.post("/predict", content=huge, headers={"content-type": "image/png"})
        assert answer.status_code == 504
        assert_problem(answer)


def test_a_caller_may_ask_for_less_patience_but_not_for_nonsense(client: httpx2.Client, hand: bytes) -> None:
    huge = phantoms.png(np.zeros((6000, 6000), np.uint8))
    hurried = client.post("/predict", content=huge, headers={"X-Request-Timeout": "0.05"})
    assert hurried.status_code == 504
    for nonsense in ("soon", "-1", "nan", "0"):
        assert client.post("/predict", content=hand, headers={"X-Request-Timeout": nonsense}).status_code == 400
    assert client.post("/predict", content=hand, headers={"X-Request-Timeout": "99"}).status_code == 200


def test_work_for_a_caller_who_hung_up_is_dropped(server: Server) -> None:
    huge = phantoms.png(np.zeros((6000, 6000), np.uint8))
    head = f"POST /predict HTTP/1.1\r\nhost: x\r\nx-request-id: gone\r\ncontent-length: {len(huge)}\r\n\r\n"
    address = urlsplit(server.address)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall(head.encode() + huge)
    wait_until(lambda: any(line.get("id") == "gone" for line in server.logs()))
    [line] = [line for line in server.logs() if line.get("id") == "gone"]
    assert line["status"] == 499


def test_a_large_jpeg_gets_the_answer_its_full_decode_would_give(client: httpx2.Client, artifacts: Path) -> None:
    large = Image.fromarray(phantoms.draw("Hand", np.random.default_rng(5))).resize((2048, 2048))
    file = io.BytesIO()
    large.save(file, "JPEG", quality=90)
    judge = classifier(artifacts / "current")
    whole = to_input(decode(file.getvalue()), judge.size)
    expected = judge(whole[np.newaxis]).probabilities[0]
    answer = client.post("/predict", content=file.getvalue()).json()
    assert np.abs(expected - list(answer["probabilities"].values())).max() <= 0.01


def test_answers_belong_to_their_pictures_under_concurrency(server: Server) -> None:
    drawn = [
        (kind, phantoms.png(phantoms.draw(kind, np.random.default_rng([3, n])))) for n in range(40) for kind in KINDS
    ]

    async def ask_all() -> list[str]:
        async with httpx2.AsyncClient(base_url=server.address, timeout=30) as client:
            answers = await asyncio.gather(*[client.post("/predict", files={"file": data}) for _, data in drawn])
        return [answer.json()["label"] for answer in answers]

    assert asyncio.run(ask_all()) == [kind for kind, _ in drawn]


def test_a_full_queue_answers_503_with_retry_after_and_recovers(artifacts: Path, tmp_path: Path, hand: bytes) -> None:
    with serving(artifacts / "current", tmp_path / "log", BODYREGION_MAX_QUEUE="1") as server:

        async def ask_all() -> list[httpx2.Response]:
            async with httpx2.AsyncClient(base_url=server.address, timeout=30) as client:
                return list(await asyncio.gather(*[client.post("/predict", files={"file": hand}) for _ in range(60)]))

        answers = asyncio.run(ask_all())
        refused = [answer for answer in answers if answer.status_code == 503]
        assert {answer.status_code for answer in answers} == {200, 503}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
        with server.client() as client:
            assert client.post("/predict", files={"file": hand}).status_code == 200


def exchange(server: Server, request: bytes) -> bytes:
    """Send bytes as they are; the first part of what comes back."""
    address = urlsplit(server.address)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall(request)
        return connection.recv(4096)


def assert_problem(answer: httpx2.Response) -> None:
    problem = json.loads(answer.content)
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(problem) == {"type", "title", "status", "detail", "instance", "request_id"}
    assert problem["status"] == answer.status_code
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["detail"].endswith(".") or answer.status_code in {404, 405}
