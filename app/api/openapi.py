"""The OpenAPI document, where FastAPI cannot see by itself what a route takes and answers."""

from functools import partial
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import models_json_schema

from app.api.errors import EXAMPLE_ID, REFUSALS, InferError, Problem
from app.api.request import MEDIA_TYPE

DESCRIPTION = """\
Send a picture as form field `file` or as the body itself: DICOM, JPEG, PNG, TIFF, BMP and WebP are told apart by their
content. A picture that is like none the model knows has `accepted` false and `label` null. Refusals are one plain sentence,
as `application/problem+json`. Nothing that is sent is kept.

Clients can be generated from this document. openapi-python-client has to be told in its `--config` file that these are bytes:

```yaml
content_type_overrides:
  image/*: application/octet-stream
  image/png: application/octet-stream
  application/dicom: application/octet-stream
```
"""
SCHEMA_REFERENCE = "#/components/schemas/{model}"
FILE = {"type": "string", "format": "binary"}
BINARY = {"schema": FILE}
PNG = {"image/png": BINARY}
ONE_FILE = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": FILE | {"description": "The picture, sent as a file; its name is not looked at."}},
}
ONE_PICTURE = {
    "required": True,
    "description": "A picture in a form, or its bytes; which type they are said to be does not matter.",
    "content": {
        "multipart/form-data": {"schema": ONE_FILE},
        "image/*": BINARY,
        "application/dicom": BINARY,
        "application/octet-stream": BINARY,
    },
}
MANY_FILES = {
    "type": "object",
    "required": ["files"],
    "properties": {
        "files": {"type": "array", "minItems": 1, "items": FILE, "description": "The pictures, a file each."}
    },
}
MANY_PICTURES = {
    "required": True,
    "description": "Pictures in a form.",
    "content": {"multipart/form-data": {"schema": MANY_FILES}},
}
REQUEST_ID = {  # where there are several kinds of body, openapi-python-client needs a parameter that may be left out
    "name": "X-Request-ID",
    "in": "header",
    "schema": {"type": "string"},
    "description": "Echoed, and written to the log, where it is a plain word.",
    "example": "ward-7",
}
PICTURE_REFUSALS = (400, 408, 413, 415, 422, 503, 504)  # what a route that takes pictures may answer
BY_STATUS = {refusal.status: refusal for refusal in reversed(REFUSALS.values())}  # the first of each

Responses = dict[int | str, dict[str, Any]]


def operation_id(route: APIRoute) -> str:
    """The words of its path, which become the name of a function in a generated client."""
    words = [part for part in route.path.split("/") if part and not part.startswith("{")]
    return "_".join(words) or route.name


Router = partial(APIRouter, generate_unique_id_function=operation_id)


def example(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(protected_namespaces=(), json_schema_extra={"examples": [example]})


def problems(*statuses: int) -> Responses:
    """The refusals as the routes answer."""
    found = {status: Problem.of(BY_STATUS[status], "/predict", EXAMPLE_ID).model_dump() for status in statuses}
    return {status: _response(status, MEDIA_TYPE, "Problem", example) for status, example in found.items()}


def protocol_errors(*statuses: int) -> Responses:
    """The refusals as the Open Inference Protocol has them."""
    found = {status: {"error": BY_STATUS[status].sentence} for status in statuses}
    return {status: _response(status, "application/json", "InferError", example) for status, example in found.items()}


def _response(status: int, media_type: str, model: str, example: dict[str, Any]) -> dict[str, Any]:
    schema = {"$ref": SCHEMA_REFERENCE.format(model=model)}
    return {"description": BY_STATUS[status].summary, "content": {media_type: {"schema": schema, "example": example}}}


def install(app: FastAPI, *bodies: type[BaseModel]) -> None:
    """Describe the refusals, and `bodies` that FastAPI does not parse. The routes must be there already."""
    shapes: list[type[BaseModel]] = [*bodies, InferError, Problem]
    described = models_json_schema([(shape, "validation") for shape in shapes], ref_template=SCHEMA_REFERENCE)
    document = app.openapi()
    document["components"]["schemas"] |= described[1]["$defs"]
    for operation in (operation for path in document["paths"].values() for operation in path.values()):
        if "requestBody" in operation:
            operation.setdefault("parameters", []).append(REQUEST_ID)
    explained = document["paths"]["/explain"]["post"]["responses"]["200"]["content"]
    explained["application/json"] = explained.pop("application/json")  # generated clients read the first kind
