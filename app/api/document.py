"""The OpenAPI document, where FastAPI cannot see by itself what a route does."""

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from app.api.protocol_schemas import InferError
from app.api.schemas import Problem
from app.api.tensors import InferRequest

REFERENCE = "#/components/schemas/{model}"
REQUEST_ID = {  # where there are several kinds of body, openapi-python-client needs a parameter that may be left out
    "name": "X-Request-ID",
    "in": "header",
    "schema": {"type": "string"},
    "description": "Echoed, and written to the log, where it is a plain word.",
    "example": "ward-7",
}


def install(app: FastAPI) -> None:
    """Describe the bodies that are not parsed by FastAPI, and the refusals. The routes must be there already."""
    described = models_json_schema(
        [(shape, "validation") for shape in (InferRequest, InferError, Problem)], ref_template=REFERENCE
    )
    document = app.openapi()
    document["components"]["schemas"] |= described[1]["$defs"]
    for operation in (operation for path in document["paths"].values() for operation in path.values()):
        if "requestBody" in operation:
            operation.setdefault("parameters", []).append(REQUEST_ID)
    explained = document["paths"]["/explain"]["post"]["responses"]["200"]["content"]
    explained["application/json"] = explained.pop("application/json")  # generated clients read the first kind
