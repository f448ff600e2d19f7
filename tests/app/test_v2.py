"""/v2 asked by Triton's own client."""

import base64
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2
import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput, InferResult
from tritonclient.utils import InferenceServerException

from app.imaging import decode, to_input
from app.model import bundle
from app.model.manifest import Manifest
from tests.app.asked import INFER, tensor
from tests.conftest import KINDS
from tests.running import COMMITTED, Server
from training import phantoms

JUDGED = "bodyregion_predictions_total"
REQUESTS = 'bodyregion_http_requests_total{method="POST",route="/v2/models/{name}/infer",status="200"}'


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return bundle.read(COMMITTED).manifest


@pytest.fixture(scope="module")
def triton(committed: Server) -> Iterator[InferenceServerClient]:
    client = InferenceServerClient(urlsplit(committed.address).netloc)
    yield client
    client.close()


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    return [phantoms.png(phantoms.draw(kind, np.random.default_rng(7))) for kind in KINDS]


def images(pictures: list[bytes], *, binary: bool, columns: bool = False) -> InferInput:
    """The pictures as a tensor; in JSON this client only sends text, so they go in base64."""
    values = np.array([data if binary else base64.b64encode(data) for data in pictures], np.object_)
    shaped = values[:, np.newaxis] if columns else values
    return InferInput("image", shaped.shape, "BYTES").set_data_from_numpy(shaped, binary_data=binary)


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
    answer = asking.post(INFER, json=tensor(shape=[1, 1], data=data))
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["server-timing"].startswith("decode;dur=")
    assert "id" not in answer.json()
    outputs = {output["name"]: output["data"] for output in answer.json()["outputs"]}
    predicted = asking.post("/predict", content=pictures[0]).json()
    assert outputs["probabilities"] == pytest.approx(list(predicted["probabilities"].values()))


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
        pytest.param(b"\0" * 1_000_001, 413, "The picture has more than 1,000,000 bytes.", id="too many bytes"),
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


def test_pictures_asked_for_here_are_counted_like_any(
    committed: Server, asking: httpx2.Client, pictures: list[bytes]
) -> None:
    judged, requests = committed.metric(JUDGED), committed.metric(REQUESTS)
    data = [base64.b64encode(picture).decode() for picture in pictures]
    assert asking.post(INFER, json=tensor(shape=[len(data)], data=data)).status_code == 200
    assert committed.metric(JUDGED) == judged + len(pictures)
    assert committed.metric(REQUESTS) == requests + 1
