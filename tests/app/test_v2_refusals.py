"""/v2 asked for what Triton's own client would not send."""

import json
import struct
from typing import Any

import httpx2
import pytest

from tests.app.asked import INFER, assert_error, tensor


def behind(head: dict[str, Any], data: bytes) -> dict[str, Any]:
    """What to post for a tensor in bytes behind its JSON."""
    text = json.dumps(head).encode()
    return {"content": text + data, "headers": {"Inference-Header-Content-Length": str(len(text))}}


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
    assert_error(asking.post(INFER, json=tensor(**changes)), status)


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
    assert_error(asking.post(INFER, **behind(tensor(), b"more")), 400)


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
        pytest.param(json.dumps({"inputs": tensor()["inputs"] * 2}).encode(), 400, id="two inputs"),
        pytest.param(json.dumps(tensor() | {"id": 42}).encode(), 400, id="an id that is no text"),
        pytest.param(json.dumps(tensor() | {"id": "\ud800"}).encode(), 400, id="an id that is no Unicode"),
        pytest.param(json.dumps(tensor() | {"outputs": [{"name": "logits"}]}).encode(), 400, id="unknown output"),
        pytest.param(b"[" + b"0," * 262_145 + b"0]", 413, id="many values"),
        pytest.param(b"[" + b"{}," * 65 + b"{}]", 413, id="many objects"),
    ],
)
def test_what_is_no_request_is_refused(asking: httpx2.Client, content: bytes, status: int) -> None:
    assert_error(asking.post(INFER, content=content), status)


def test_classes_are_only_told_of_probabilities(asking: httpx2.Client) -> None:
    output = {"name": "label", "parameters": {"classification": 1}}
    assert_error(asking.post(INFER, json=tensor() | {"outputs": [output]}), 400)


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
