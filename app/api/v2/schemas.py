"""The shapes of the Open Inference Protocol's answers, as the OpenAPI page shows them."""

from typing import Literal

from pydantic import BaseModel, Field

from app.api.openapi import example

CLASSIFIED = {
    "name": "probabilities",
    "datatype": "BYTES",
    "shape": [1, 2],
    "data": ["0.999300:0:Hand", "0.000700:1:HeadCT"],
}


class ServerMetadata(BaseModel):
    model_config = example(
        {"name": "bodyregion", "version": "0.1.0", "extensions": ["binary_tensor_data", "classification"]}
    )

    name: str = Field(description="bodyregion.")
    version: str = Field(description="The service's, as in this document.")
    extensions: list[str] = Field(description="Of the protocol, those spoken here.")


class Live(BaseModel):
    model_config = example({"live": True})

    live: bool = Field(description="Always true.")


class Ready(Live):
    model_config = example({"live": True, "ready": True})

    ready: bool = Field(description="Always true: not ready is a 503.")


class ModelReady(BaseModel):
    model_config = example({"name": "mednist", "ready": True})

    name: str = Field(description="The bundle's name.")
    ready: bool = Field(description="Always true: not ready is a 503.")


class TensorMetadata(BaseModel):
    """A tensor, without its elements."""

    name: str = Field(description="By which it is asked for.")
    datatype: Literal["BOOL", "BYTES", "FP32", "UINT8"] = Field(description="The protocol's name for it.")
    shape: list[int] = Field(description="Its dimensions; -1 is the number of pictures.")


class ModelMetadata(BaseModel):
    model_config = example(
        {
            "name": "mednist",
            "versions": ["3f2a9c1d04be"],
            "platform": "keras_v3",
            "inputs": [{"name": "image", "datatype": "BYTES", "shape": [-1]}],
            "outputs": [{"name": "label", "datatype": "BYTES", "shape": [-1]}],
        }
    )

    name: str = Field(description="The bundle's name.")
    versions: list[str] = Field(description="The one in use.")
    platform: str = Field(description="keras_v3.")
    inputs: list[TensorMetadata] = Field(description="A request has one of them.")
    outputs: list[TensorMetadata] = Field(description="All of them, unless some are asked for.")


class BinaryData(BaseModel):
    binary_data_size: int = Field(description="Bytes of this tensor behind the JSON.")


class ResponseOutput(TensorMetadata):
    data: list[bool | float | str] | None = Field(
        None, description="Its elements in one row; absent where they are behind the JSON."
    )
    parameters: BinaryData | None = Field(
        None, description="Where its elements are behind the JSON; absent where they are not."
    )


class InferResponse(BaseModel):
    model_config = example(
        {"model_name": "mednist", "model_version": "3f2a9c1d04be", "id": "42", "outputs": [CLASSIFIED]}
    )

    model_name: str = Field(description="The bundle's name.")
    model_version: str = Field(description="The bundle's version.")
    id: str | None = Field(None, description="As in the request; absent where it had none.")
    outputs: list[ResponseOutput] = Field(description="Those asked for, or all.")
