"""What requests may take of time, bytes and places, and what one that takes more is told."""

import base64
from pathlib import Path

import httpx2
import numpy as np
import pytest

from tests.app.asked import INFER, assert_error, assert_problem, at_once, status, tensor
from tests.hostile.wire import connect
from tests.running import Server, serving, wait_until
from training import phantoms

HEAD = (
    "POST /predict HTTP/1.1\r\nhost: x\r\nx-request-id: gone\r\ncontent-type: image/png\r\ncontent-length: %d\r\n\r\n"
)


@pytest.fixture(scope="module")
def huge() -> bytes:
    """A picture that is small to send and slow to decode."""
    return phantoms.png(np.zeros((6000, 6000), np.uint8))


def test_bodies_on_their_way_share_a_budget(artifacts: Path, tmp_path: Path) -> None:
    head = HEAD % 1500
    limits = {"BODYREGION_MAX_REQUEST_BYTES": "1000", "BODYREGION_MAX_UPLOAD_BYTES": "2000"}
    with serving(artifacts / "current", tmp_path / "log", **limits) as server:
        with connect(server) as slow:
            slow.sendall(head.encode() + b"x" * 600)
            wait_until(lambda: status(server, head + "x" * 1500) == 503)
            slow.sendall(b"x" * 900)
            assert slow.recv(4096).startswith(b"HTTP/1.1 415")
        assert status(server, head + "x" * 1500) == 415


def test_the_limit_a_body_is_over_is_told_as_it_was_set(client: httpx2.Client) -> None:
    body, form = (
        client.post("/predict", content=bytes(1_000_001)),
        client.post("/predict", files={"file": bytes(1_100_000)}),
    )
    for refused in (body, form):
        assert_problem(refused, 413)
        assert refused.json()["detail"] == "The body has more than 1,000,000 bytes."


def test_a_body_that_stops_coming_is_a_408_and_an_answer_that_is_late_a_504(
    artifacts: Path, tmp_path: Path, huge: bytes
) -> None:
    with serving(artifacts / "current", tmp_path / "log", BODYREGION_REQUEST_TIMEOUT_SECONDS="0.05") as server:
        assert status(server, HEAD % 1000 + "some") == 408
        with server.client() as client:
            assert_problem(client.post("/predict", content=huge), 504)


def test_a_caller_may_ask_for_less_patience_but_not_for_nonsense(
    client: httpx2.Client, hand: bytes, huge: bytes
) -> None:
    assert client.post("/predict", content=huge, headers={"X-Request-Timeout": "0.05"}).status_code == 504
    for nonsense in ("soon", "-1", "nan", "0"):
        assert client.post("/predict", content=hand, headers={"X-Request-Timeout": nonsense}).status_code == 400
    assert client.post("/predict", content=hand, headers={"X-Request-Timeout": "99"}).status_code == 200


def test_work_for_a_caller_who_hung_up_is_dropped(server: Server, huge: bytes) -> None:
    with connect(server) as connection:
        connection.sendall((HEAD % len(huge)).encode() + huge)
    wait_until(lambda: any(line.get("id") == "gone" for line in server.logs()))
    [line] = [line for line in server.logs() if line.get("id") == "gone"]
    assert line["status"] == 499


def test_a_full_queue_answers_503_with_retry_after_and_recovers(artifacts: Path, tmp_path: Path, hand: bytes) -> None:
    text = base64.b64encode(hand).decode()
    predict = "/predict", "/predict", {"files": {"file": hand}}, assert_problem
    infer = INFER, "/v2/models/{name}/infer", {"json": tensor(data=[text])}, assert_error
    with serving(artifacts / "current", tmp_path / "log", BODYREGION_MAX_QUEUE="1") as server:
        for url, route, request, assert_refused in (predict, infer):
            answers = at_once(server, *[(url, request)] * 60)
            refused = [answer for answer in answers if answer.status_code == 503]
            assert {answer.status_code for answer in answers} == {200, 503}
            for answer in refused:
                assert int(answer.headers["retry-after"]) >= 1
                assert_refused(answer, 503)
            assert server.metric(
                f'bodyregion_http_requests_total{{method="POST",route="{route}",status="503"}}'
            ) == len(refused)
            assert at_once(server, (url, request))[0].status_code == 200
