"""The tensors of the Open Inference Protocol v2 on the wire: in the JSON, or as raw bytes behind it."""

import base64
import json
import struct
from collections.abc import Iterable, Mapping
from itertools import chain
from math import prod
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.config import JsonDict

from app.api.errors import Malformed, TooLarge, Unusable
from app.imaging import Pixels

HEADER_LENGTH = "Inference-Header-Content-Length"  # bytes of JSON, where raw bytes follow it
MAX_VALUES = 2**18  # in the JSON: 31 pictures of 64 × 64, a list for each pixel, keep the interpreter for 0.03 s
MAX_OBJECTS = 64  # in the JSON; none takes more memory for its text
DATATYPES = {"f": "FP32", "b": "BOOL", "U": "BYTES"}  # by numpy's kind
BLACK_PNG = (  # a PNG of 16 × 16 pixels
    "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAAAAAA6mKC9AAAADUlEQVR42mNgGAXIAAABEAABf80DtQAAAABJRU5ErkJggg=="
)
EXAMPLE: JsonDict = {
    "id": "42",
    "inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": [BLACK_PNG]}],
    "outputs": [{"name": "probabilities", "parameters": {"classification": 2}}, {"name": "label"}],
}


Tensor = tuple[str, npt.NDArray[Any], bool]  # its name, its values, and whether these go behind the JSON


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True)  # parameters of other extensions are passed over


class InputParameters(_Shape):
    binary_data_size: int | None = Field(None, ge=0, description="Bytes behind the JSON, instead of `data`.")


class InferInput(_Shape):
    """Encoded pictures, `image` BYTES [n] or [n, 1], or `pixels` UINT8 [n, size, size, 1] or [n, size, size]."""

    name: str = Field(description="image or pixels.")
    datatype: Literal["BYTES", "UINT8"] = Field(description="BYTES for image, UINT8 for pixels.")
    shape: list[Annotated[int, Field(ge=0)]] = Field(
        min_length=1, max_length=4, description="Its dimensions, the first the number of pictures."
    )
    parameters: InputParameters = Field(InputParameters(), description="Where the data are behind the JSON.")
    data: list[Any] | None = Field(None, description="BYTES in base64; nested as the shape says, or flat.")


class OutputParameters(_Shape):
    binary_data: bool | None = Field(
        None, description="Whether its elements go behind the JSON; null: as the request's binary_data_output says."
    )
    classification: int = Field(0, ge=0, description='So many of the most probable classes, as "value:index:label".')


class InferOutput(_Shape):
    name: str = Field(description="probabilities, label, ood_score or accepted.")
    parameters: OutputParameters = Field(OutputParameters(), description="How it is answered.")


class InferParameters(_Shape):
    binary_data_output: bool = Field(False, description="Whether elements go behind the JSON.")


class InferRequest(_Shape):
    """The JSON of a request."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    id: str | None = Field(None, description="Comes back in the answer.")
    parameters: InferParameters = Field(InferParameters(), description="For all outputs.")
    inputs: list[InferInput] = Field(min_length=1, max_length=1, description="Exactly one.")
    outputs: list[InferOutput] = Field([], description="Those wanted; all where none is named.")


def read(body: bytes, header_length: str | None, most: int) -> tuple[InferRequest, list[bytes] | Pixels]:
    """What is asked, and its tensor: encoded pictures, or pixels in one row. Raises Malformed, TooLarge or Unusable."""
    length = _length(header_length, len(body))
    request = _parse(body[:length])
    tensor, behind = request.inputs[0], memoryview(body)[length:]
    if tensor.shape[0] > most:
        raise TooLarge(f"The tensor has more than {most} pictures.")
    if tensor.shape[0] == 0:
        raise Unusable("The tensor has no picture.")
    size = tensor.parameters.binary_data_size
    if (size is None) == (tensor.data is None) or (size or 0) != len(behind):
        raise Malformed("The tensor needs either data in the JSON or as many bytes behind it as it says.")
    try:
        elements = _from_binary(tensor, behind) if tensor.data is None else _from_json(tensor, tensor.data)
    except (ValueError, TypeError, struct.error) as error:
        raise Malformed("The tensor's data is not what its datatype and shape say.") from error
    return request, elements


def write(head: Mapping[str, object], tensors: Iterable[Tensor]) -> tuple[bytes, dict[str, str]]:
    """The body of an answer and its headers."""
    outputs: list[dict[str, object]] = []
    behind = b""
    for name, values, binary in tensors:
        described = {"name": name, "datatype": DATATYPES[values.dtype.kind], "shape": list(values.shape)}
        if binary:
            raw = _raw(values)
            behind += raw
            outputs.append({**described, "parameters": {"binary_data_size": len(raw)}})
        else:
            outputs.append({**described, "data": values.ravel().tolist()})
    told = json.dumps({**head, "outputs": outputs}).encode()
    if not behind:
        return told, {"content-type": "application/json"}
    return told + behind, {"content-type": "application/octet-stream", HEADER_LENGTH: str(len(told))}


def _length(declared: str | None, size: int) -> int:
    if declared is None:
        return size
    if not declared.isascii() or not declared.isdecimal() or int(declared[:10]) > size:
        raise Malformed(f"The {HEADER_LENGTH} is not a number of bytes of this body.")
    return int(declared[:10])


def _parse(text: bytes) -> InferRequest:
    if text.count(b",") + text.count(b"[") > MAX_VALUES or text.count(b"{") > MAX_OBJECTS:
        raise TooLarge("The JSON has more values than are taken; send large tensors as binary data.")
    try:
        return InferRequest.model_validate(json.loads(text.decode()))
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "The body"
        raise Malformed(f"{where} is missing or not what the protocol takes there.") from error
    except (ValueError, RecursionError) as error:
        raise Malformed("The body is not JSON.") from error


def _from_json(tensor: InferInput, data: list[Any]) -> list[bytes] | Pixels:
    flat = _flat(data)
    if len(flat) != prod(tensor.shape):
        raise ValueError
    if tensor.datatype == "UINT8":
        return np.frombuffer(bytes(flat), np.uint8)
    return [base64.b64decode(text, validate=True) for text in flat]


def _flat(data: list[Any]) -> list[Any]:
    while data and all(isinstance(row, list) for row in data):
        data = list(chain.from_iterable(data))
    return data


def _from_binary(tensor: InferInput, data: memoryview) -> list[bytes] | Pixels:
    if tensor.datatype == "UINT8":
        pixels = np.frombuffer(data, np.uint8)
        return pixels.reshape(tensor.shape).ravel()
    if prod(tensor.shape) != tensor.shape[0]:
        raise ValueError
    return _strings(data, tensor.shape[0])


def _strings(data: memoryview, count: int) -> list[bytes]:
    """Byte strings, each behind its length in four bytes, little-endian."""
    found, start = [], 0
    for _ in range(count):
        (length,) = struct.unpack_from("<I", data, start)
        found.append(bytes(data[start + 4 : start + 4 + length]))
        start += 4 + length
    if start != len(data):
        raise ValueError
    return found


def _raw(values: npt.NDArray[Any]) -> bytes:
    if values.dtype.kind != "U":
        return values.astype(values.dtype.newbyteorder("<")).tobytes()
    texts = [text.encode() for text in values.ravel().tolist()]
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)
