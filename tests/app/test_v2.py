"""/v2 asked by Triton's own client, and what that client would not send."""

import asyncio
import base64
import json
import signal
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput, InferResult
from tritonclient.utils import InferenceServerException

from app.imaging import decode, to_input
from app.model import bundle
from app.model.manifest import Manifest
from tests.conftest import KINDS
from tests.running import COMMITTED, Server, serving, wait_until
from training import phantoms

INFER = "/v2/models/mednist/infer"
COUNTED = 'bodyregion_http_requests_total{method="POST",route="/v2/models/{name}/infer",status="200"}'


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose bundle can tell strangers."""
    limits = {"BODYREGION_MAX_BATCH_FILES": "40", "BODYREGION_MAX_UPLOAD_BYTES": "100000"}
    with serving(COMMITTED, tmp_path_factory.mktemp("v2") / "log", **limits) as started:
        yield started


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return bundle.read(COMMITTED).manifest


@pytest.fixture(scope="module")
def triton(strict: Server) -> Iterator[InferenceServerClient]:
    client = InferenceServerClient(urlsplit(strict.address).netloc)
    yield client
    client.close()


@pytest.fixture
def asking(strict: Server) -> Iterator[httpx2.Client]:
    with strict.client() as opened:
        yield opened


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    return [phantoms.png(phantoms.draw(kind, np.random.default_rng(7))) for kind in KINDS]


def images(pictures: list[bytes], *, binary: bool, columns: bool = False) -> InferInput:
    """The pictures as a tensor; in JSON this client only sends text, so they go in base64."""
    values = np.array([data if binary else base64.b64encode(data) for data in pictures], np.object_)
    shaped = values[:, np.newaxis] if columns else values
    return InferInput("image", shaped.shape, "BYTES").set_data_from_numpy(shaped, binary_data=binary)


def request(**changes: Any) -> dict[str, Any]:
    """A request in JSON with one tensor, changed."""
    return {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": ["iVBORw0KGgo="]} | changes]}


def behind(head: dict[str, Any], data: bytes) -> dict[str, Any]:
    """What to post for a tensor in bytes behind its JSON."""
    text = json.dumps(head).encode()
    return {"content": text + data, "headers": {"Inference-Header-Content-Length": str(len(text))}}


def test_triton_finds_the_server_and_the_model(triton: InferenceServerClient, manifest: Manifest) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.get_server_metadata()["extensions"] == ["binary_tensor_data", "classification"]
    for version in ("", manifest.version):
        assert triton.is_model_ready("mednist", version)
        told = triton.get_model_metadata("mednist", version)
        assert (told["name"], told["versions"]) == ("mednist", [manifest.version])
    size = manifest.input.size
    assert {tensor["name"]: (tensor["datatype"], tensor["shape"]) for tensor in told["inputs"] + told["outputs"]} == {
        "image": ("BYTES", [-1]),
        "pixels": ("UINT8", [-1, size, size, 1]),
        "probabilities": ("FP32", [-1, len(manifest.classes)]),
        "label": ("BYTES", [-1]),
        "ood_score": ("FP32", [-1, 1]),
        "accepted": ("BOOL", [-1]),
    }


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
@pytest.mark.parametrize("columns", [True, False], ids=["n by 1", "n"])
def test_encoded_pictures_get_the_answers_of_predict(
    triton: InferenceServerClient, asking: httpx2.Client, pictures: list[bytes], binary: bool, columns: bool
) -> None:
    told = triton.infer("mednist", [images(pictures, binary=binary, columns=columns)])
    assert_agree(told, asking, pictures)


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
@pytest.mark.parametrize("channel", [True, False], ids=["n by size by size by 1", "n by size by size"])
def test_pixels_get_the_answers_of_their_pictures(
    triton: InferenceServerClient,
    asking: httpx2.Client,
    manifest: Manifest,
    pictures: list[bytes],
    binary: bool,
    channel: bool,
) -> None:
    pixels = np.stack([to_input(decode(data), manifest.input.size) for data in pictures])
    shaped = pixels if channel else pixels[..., 0]
    tensor = InferInput("pixels", shaped.shape, "UINT8").set_data_from_numpy(shaped, binary_data=binary)
    outputs = [InferRequestedOutput(name, binary_data=binary) for name in ("accepted", "label", "ood_score")]
    told = triton.infer(
        "mednist", [tensor], outputs=[*outputs, InferRequestedOutput("probabilities", binary_data=binary)]
    )
    assert_agree(told, asking, pictures)


def assert_agree(told: InferResult, asking: httpx2.Client, pictures: list[bytes]) -> None:
    """A tensor's answers are those of /predict, and a stranger's label is empty."""
    alone = [asking.post("/predict", content=data).json() for data in pictures]
    probabilities = [list(answer["probabilities"].values()) for answer in alone]
    assert told.as_numpy("probabilities") == pytest.approx(np.array(probabilities), abs=1e-6)
    assert told.as_numpy("ood_score")[:, 0] == pytest.approx([answer["ood_score"] for answer in alone], abs=1e-6)
    assert told.as_numpy("accepted").tolist() == [answer["accepted"] for answer in alone]
    labels = [label if isinstance(label, str) else label.decode() for label in told.as_numpy("label")]
    assert labels == [answer["label"] or "" for answer in alone]


def test_a_stranger_has_no_label_here_either(triton: InferenceServerClient, manifest: Manifest) -> None:
    size = manifest.input.size
    noise = np.random.default_rng(0).integers(0, 256, (1, size, size, 1)).astype(np.uint8)
    told = triton.infer("mednist", [InferInput("pixels", noise.shape, "UINT8").set_data_from_numpy(noise)])
    assert told.as_numpy("accepted").tolist() == [False]
    assert told.as_numpy("label").tolist() == [b""]


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
def test_the_most_probable_classes_come_as_triton_writes_them(
    triton: InferenceServerClient, manifest: Manifest, pictures: list[bytes], binary: bool
) -> None:
    wanted = [InferRequestedOutput("probabilities", binary_data=binary, class_count=2)]
    classified = triton.infer("mednist", [images(pictures, binary=True)], outputs=wanted).as_numpy("probabilities")
    probabilities = triton.infer("mednist", [images(pictures, binary=True)]).as_numpy("probabilities")
    assert classified.shape == (len(pictures), 2)
    for row, entries in zip(probabilities, classified.tolist(), strict=True):
        texts = [entry if isinstance(entry, str) else entry.decode() for entry in entries]
        best = np.argsort(-row)[:2]
        assert texts == [f"{row[index]:f}:{index}:{manifest.classes[index]}" for index in best]


def test_only_the_outputs_asked_for_are_sent_under_the_id_and_version_of_the_request(
    triton: InferenceServerClient, manifest: Manifest, pictures: list[bytes]
) -> None:
    wanted = [InferRequestedOutput("label", binary_data=False), InferRequestedOutput("accepted")]
    told = triton.infer(
        "mednist", [images(pictures, binary=True)], model_version=manifest.version, outputs=wanted, request_id="ward-7"
    ).get_response()
    assert (told["id"], told["model_name"], told["model_version"]) == ("ward-7", "mednist", manifest.version)
    assert [output["name"] for output in told["outputs"]] == ["label", "accepted"]
    assert told["outputs"][1]["parameters"] == {"binary_data_size": len(pictures)}


def test_a_plain_request_gets_plain_json(asking: httpx2.Client, pictures: list[bytes]) -> None:
    data = [[base64.b64encode(pictures[0]).decode()]]
    answer = asking.post(INFER, json=request(shape=[1, 1], data=data))
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["server-timing"].startswith("decode;dur=")
    assert "id" not in answer.json()
    outputs = {output["name"]: output["data"] for output in answer.json()["outputs"]}
    assert outputs["probabilities"] == pytest.approx(list(predicted(asking, pictures[0])["probabilities"].values()))


def predicted(asking: httpx2.Client, data: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = asking.post("/predict", content=data).json()
    return answer


def test_a_bundle_that_cannot_tell_strangers_does_not_offer_to(server: Server, pictures: list[bytes]) -> None:
    client = InferenceServerClient(urlsplit(server.address).netloc)
    told = client.infer("mednist", [images(pictures, binary=True)]).get_response()
    assert [output["name"] for output in told["outputs"]] == ["probabilities", "label"]
    offered = client.get_model_metadata("mednist")["outputs"]
    assert [output["name"] for output in offered] == ["probabilities", "label"]
    client.close()


@pytest.mark.parametrize(
    ("bad", "status", "sentence"),
    [
        pytest.param(b"not a picture", 415, "The content is not", id="text"),
        pytest.param(b"", 422, "The file is empty.", id="empty"),
        pytest.param(b"\x89PNG\r\n\x1a\n cut", 400, "", id="damaged"),
        pytest.param(b"\0" * 100_001, 413, "The picture has more than 100,000 bytes.", id="too many bytes"),
    ],
)
def test_a_bad_picture_fails_the_request_and_is_named(
    triton: InferenceServerClient, pictures: list[bytes], bad: bytes, status: int, sentence: str
) -> None:
    with pytest.raises(InferenceServerException) as refused:
        triton.infer("mednist", [images([*pictures, bad], binary=True)])
    assert refused.value.status() == str(status)
    assert refused.value.message().startswith(f"Picture {len(pictures)}: {sentence}")


@pytest.mark.parametrize(("name", "version"), [("another", ""), ("mednist", "1")])
def test_another_model_or_version_is_not_here(
    triton: InferenceServerClient, pictures: list[bytes], name: str, version: str
) -> None:
    assert not triton.is_model_ready(name, version)
    with pytest.raises(InferenceServerException) as unknown:
        triton.get_model_metadata(name, version)
    with pytest.raises(InferenceServerException) as refused:
        triton.infer(name, [images(pictures, binary=True)], version)
    assert unknown.value.status() == refused.value.status() == "404"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({"name": "picture"}, 400, id="unknown input"),
        pytest.param({"name": "pixels"}, 400, id="another datatype"),
        pytest.param({"datatype": "FP32"}, 400, id="unknown datatype"),
        pytest.param({"shape": [2]}, 400, id="more than there is"),
        pytest.param({"shape": [1, 2]}, 400, id="another shape"),
        pytest.param({"shape": [-1]}, 400, id="negative"),
        pytest.param({"shape": []}, 400, id="no dimension"),
        pytest.param({"shape": [0], "data": []}, 422, id="no picture"),
        pytest.param({"shape": [41], "data": ["aaaa"] * 41}, 413, id="too many pictures"),
        pytest.param({"data": ["not base64"]}, 400, id="no base64"),
        pytest.param({"data": ["é"]}, 400, id="not ASCII"),
        pytest.param({"data": [7]}, 400, id="a number"),
        pytest.param({"data": None}, 400, id="no data"),
        pytest.param({"name": "pixels", "datatype": "UINT8", "shape": [1, 1], "data": [256]}, 400, id="no byte"),
        pytest.param({"name": "pixels", "datatype": "UINT8", "shape": [1, 1], "data": [0.5]}, 400, id="a fraction"),
        pytest.param({"name": "pixels", "datatype": "UINT8", "shape": [1, 1], "data": [0]}, 400, id="another size"),
        pytest.param({"name": "pixels", "datatype": "UINT8", "shape": [1], "data": [[0], 0]}, 400, id="ragged"),
        pytest.param({"parameters": {"binary_data_size": 5}}, 400, id="data twice"),
        pytest.param({"parameters": {"shared_memory_region": "x"}, "data": None}, 400, id="shared memory"),
    ],
)
def test_a_tensor_that_is_not_what_it_says_is_refused(
    asking: httpx2.Client, changes: dict[str, Any], status: int
) -> None:
    assert_error(asking.post(INFER, json=request(**changes)), status)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\1\0\0", id="half a length"),
        pytest.param(struct.pack("<I", 2**32 - 1) + b"cut", id="more promised than sent"),
        pytest.param(struct.pack("<I", 1) + b"ab", id="more sent than promised"),
    ],
)
def test_bytes_behind_the_json_must_add_up(asking: httpx2.Client, data: bytes) -> None:
    tensor = {"name": "image", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(data)}}
    assert_error(asking.post(INFER, **behind({"inputs": [tensor]}, data)), 400)


def test_bytes_behind_a_tensor_that_is_in_the_json_are_refused(asking: httpx2.Client) -> None:
    assert_error(asking.post(INFER, **behind(request(), b"more")), 400)


@pytest.mark.parametrize("length", ["", "-1", "1e3", "²", "9" * 5000, "9"])
def test_a_json_length_that_is_none_is_refused(asking: httpx2.Client, length: str) -> None:
    headers = [(b"inference-header-content-length", length.encode())]
    assert_error(asking.post(INFER, content=b"{}", headers=headers), 400)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        pytest.param(b"", 400, id="nothing"),
        pytest.param(b"\xff", 400, id="not UTF-8"),
        pytest.param(b"[" * 100_000, 400, id="deep"),
        pytest.param(b"[" + b"9" * 5000 + b"]", 400, id="a long number"),
        pytest.param(b"[]", 400, id="a list"),
        pytest.param(b'{"inputs": []}', 400, id="no input"),
        pytest.param(json.dumps({"inputs": request()["inputs"] * 2}).encode(), 400, id="two inputs"),
        pytest.param(json.dumps(request() | {"id": 42}).encode(), 400, id="an id that is no text"),
        pytest.param(json.dumps(request() | {"id": "\ud800"}).encode(), 400, id="an id that is no Unicode"),
        pytest.param(json.dumps(request() | {"outputs": [{"name": "logits"}]}).encode(), 400, id="unknown output"),
        pytest.param(b"[" + b"0," * 262_145 + b"0]", 413, id="many values"),
        pytest.param(b"[" + b"{}," * 65 + b"{}]", 413, id="many objects"),
    ],
)
def test_what_is_no_request_is_refused(asking: httpx2.Client, content: bytes, status: int) -> None:
    assert_error(asking.post(INFER, content=content), status)


def test_classes_are_only_told_of_probabilities(asking: httpx2.Client) -> None:
    output = {"name": "label", "parameters": {"classification": 1}}
    assert_error(asking.post(INFER, json=request() | {"outputs": [output]}), 400)


def test_errors_have_the_shape_of_the_protocol_wherever_they_arise(asking: httpx2.Client) -> None:
    for answer, status in (
        (asking.get("/v2/nowhere"), 404),
        (asking.get(INFER), 405),
        (asking.post("/v2"), 405),
        (asking.post("/v2/models/mednist"), 405),
        (asking.post(INFER, content=b"{}", headers={"content-encoding": "gzip"}), 415),
        (asking.post(INFER, content=b"{}", headers={"x-request-timeout": "never"}), 400),
    ):
        assert_error(answer, status)


def test_pictures_asked_for_here_are_counted_like_any(asking: httpx2.Client, pictures: list[bytes]) -> None:
    def count(line: str) -> float:
        found = [text.rpartition(" ")[2] for text in asking.get("/metrics").text.splitlines() if text.startswith(line)]
        return sum(map(float, found))

    judged, requests = count("bodyregion_predictions_total"), count(COUNTED)
    data = [base64.b64encode(picture).decode() for picture in pictures]
    assert asking.post(INFER, json=request(shape=[len(data)], data=data)).status_code == 200
    assert count("bodyregion_predictions_total") == judged + len(pictures)
    assert count(COUNTED) == requests + 1


def test_a_full_queue_refuses_here_too(tmp_path: Path, pictures: list[bytes]) -> None:
    asked = request(data=[base64.b64encode(pictures[0]).decode()])

    async def ask_all(server: Server) -> list[httpx2.Response]:
        async with httpx2.AsyncClient(base_url=server.address, timeout=30) as client:
            return list(await asyncio.gather(*[client.post(INFER, json=asked) for _ in range(60)]))

    with serving(COMMITTED, tmp_path / "log", BODYREGION_MAX_QUEUE="1") as server:
        answers = asyncio.run(ask_all(server))
        refused = [answer for answer in answers if answer.status_code == 503]
        assert {answer.status_code for answer in answers} == {200, 503}
        assert int(refused[0].headers["retry-after"]) >= 1
        assert_error(refused[0], 503)
        with server.client() as client:
            assert f"{COUNTED.replace('200', '503')} {len(refused)}.0" in client.get("/metrics").text
            assert client.post(INFER, json=asked).status_code == 200


def test_a_leaving_server_is_alive_and_not_ready(tmp_path: Path) -> None:
    with serving(COMMITTED, tmp_path / "log", BODYREGION_DRAIN_SECONDS="20") as server, server.client() as client:
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: client.get("/v2/health/ready").status_code == 503)
        for path in ("/v2/health/ready", "/v2/models/mednist/ready"):
            assert_error(client.get(path), 503)
        assert client.get("/v2/health/live").status_code == 200


def test_a_key_is_asked_for_save_by_the_probes(stranger: httpx2.Client) -> None:
    for path in ("/v2", "/v2/models/mednist", "/v2/models/mednist/ready"):
        assert_error(stranger.get(path), 401)
    assert_error(stranger.post(INFER, json=request()), 401)
    for path in ("/v2/health/live", "/v2/health/ready"):
        assert stranger.get(path).status_code == 200


def assert_error(answer: httpx2.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["error"]
    assert answer.json()["error"].endswith(".") or status in {404, 405}
