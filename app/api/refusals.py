"""The refusals as the OpenAPI document shows them, each with an example."""

from http import HTTPStatus
from typing import Any

from app.api.errors import MEDIA_TYPE

REFUSALS = {
    400: ("The picture or the request is damaged.", "The picture is damaged."),
    401: ("The key is missing or wrong.", "A key is needed in the header X-API-Key."),
    404: ("Not the model in use, or not its version.", "There is no such model here."),
    408: ("The body came too slowly.", "The body did not arrive in time."),
    413: ("Too many bytes, pixels or files.", "The body has more than 67,108,864 bytes."),
    415: ("Not a type that is read.", "The content is not a DICOM, JPEG, PNG, TIFF, BMP or WebP picture."),
    422: ("Understood, but no single picture that can be judged.", "The file is empty."),
    503: ("Full or leaving; see Retry-After.", "As many requests wait as may wait; try again shortly."),
    504: ("The request's deadline passed.", "The answer was not ready in time."),
}
PICTURE = (400, 408, 413, 415, 422, 503, 504)  # what a route that takes pictures may answer

Responses = dict[int | str, dict[str, Any]]


def problems(*statuses: int) -> Responses:
    """As the routes answer."""
    return {status: _response(status, MEDIA_TYPE, "Problem", _problem(status)) for status in statuses}


def protocol_errors(*statuses: int) -> Responses:
    """As the Open Inference Protocol has them."""
    return {
        status: _response(status, "application/json", "InferError", {"error": REFUSALS[status][1]})
        for status in statuses
    }


def _response(status: int, media_type: str, shape: str, example: dict[str, Any]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{shape}"}
    return {"description": REFUSALS[status][0], "content": {media_type: {"schema": schema, "example": example}}}


def _problem(status: int) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": REFUSALS[status][1],
        "instance": "/predict",
        "request_id": "2f1c7d9e0a4b4c3f8e5d6a7b8c9d0e1f",
    }
