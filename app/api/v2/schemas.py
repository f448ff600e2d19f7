"""The shapes of the Open Inference Protocol's answers, as the OpenAPI page shows them."""

from typing import Literal

from pydantic import BaseModel

from app.api.openapi import example

CLASSIFIED = {
    "name": "probabilities",
    "datatype": "BYTES",
    "shape": [1, 2],
    "data": ["0.999300:0:Hand", "0.000700:1:HeadCT"],
}


class ServerMetadata(BaseModel):
    model_config = example(
        {"name": "bodyregion", "version": "1", "extensions": ["binary_tensor_data", "classification"]}
    )

    name: str
    version: str
    extensions: list[str]


class Live(BaseModel):
    model_config = example({"live": True})

    live: bool


class Ready(Live):
    model_config = example({"live": True, "ready": True})

    ready: bool


class ModelReady(BaseModel):
    model_config = example({"name": "mednist", "ready": True})

    name: str
    ready: bool


class TensorMetadata(BaseModel):
    """A dimension of -1 is the number of pictures."""

    name: str
    datatype: Literal["BOOL", "BYTES", "FP32", "UINT8"]
    shape: list[int]


class ModelMetadata(BaseModel):
    """A request has one of the inputs."""

    model_config = example(
        {
            "name": "mednist",
            "versions": ["3f2a9c1d04be"],
            "platform": "keras_v3",
            "inputs": [{"name": "image", "datatype": "BYTES", "shape": [-1]}],
            "outputs": [{"name": "label", "datatype": "BYTES", "shape": [-1]}],
        }
    )

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class BinaryData(BaseModel):
    binary_data_size: int


class ResponseOutput(TensorMetadata):
    """Its elements in one row, or their size behind the JSON."""

    data: list[bool | float | str] | None = None
    parameters: BinaryData | None = None


class InferResponse(BaseModel):
    model_config = example(
        {"model_name": "mednist", "model_version": "3f2a9c1d04be", "id": "42", "outputs": [CLASSIFIED]}
    )

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[ResponseOutput]
