"""Every refusal as problem+json (RFC 9457), under /v2 as its protocol has it: one family of errors, each owning its
status, and their handlers.
"""

import json
from http import HTTPStatus
from typing import ClassVar

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from app.imaging import DamagedPicture, PictureError, TooManyPixels, TooMuchWork, UnknownType, UnusablePicture
from app.model.batching import QueueFull

PICTURE_STATUS: dict[type[PictureError], int] = {
    DamagedPicture: 400,
    TooManyPixels: 413,
    TooMuchWork: 413,
    UnknownType: 415,
    UnusablePicture: 422,
}
CLIENT_CLOSED_REQUEST = 499  # nobody is left to read it; the log and the metrics are
SHORT_BYTES = 64 * 1024  # of a refused body are read past, so that the connection can be kept
MEDIA_TYPE = "application/problem+json"


class ApiError(Exception):
    """A request refused; `detail` is one plain sentence."""

    status: ClassVar[int] = 500
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Malformed(ApiError):
    status = 400


class KeyNeeded(ApiError):
    status = 401
    headers = {"www-authenticate": "ApiKey"}


class NoModel(ApiError):
    status = 404


class TooSlow(ApiError):
    status = 408
    headers = {"connection": "close"}


class TooLarge(ApiError):
    status = 413
    headers = {"connection": "close"}  # the rest of the body is not wanted


class Encoded(ApiError):
    status = 415
    headers = {"accept-encoding": "identity"}


class NoPicture(ApiError):
    status = 422


class NoEvidence(ApiError):
    status = 422


class HeadTooLarge(ApiError):
    status = 431


class Busy(ApiError):
    status = 503
    headers = {"retry-after": "1"}


class DeadlinePassed(ApiError):
    status = 504

    def __init__(self) -> None:
        super().__init__("The answer was not ready in time.")


UNREAD = QueueFull, Busy, KeyNeeded, Encoded  # refused before the body is read


def problem(error: Exception, instance: str, request_id: str) -> dict[str, str | int]:
    """The problem object of `error`."""
    status = _status(error)
    title = HTTPStatus(status).phrase if status != CLIENT_CLOSED_REQUEST else "Client Closed Request"
    return {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": _detail(error),
        "instance": instance,
        "request_id": request_id,
    }


def install(app: FastAPI) -> None:
    kinds = (ApiError, PictureError, QueueFull, HTTPException, RequestValidationError, ClientDisconnect, Exception)
    for kind in kinds:
        app.add_exception_handler(kind, answer)


async def answer(request: Request, error: Exception) -> Response:
    status = _status(error)
    headers = getattr(error, "headers", None)
    if isinstance(error, QueueFull):
        headers = Busy.headers
    if isinstance(error, UNREAD) and not _short(request):
        headers = (headers or {}) | {"connection": "close"}  # the body is not wanted, and too long to read past
    if in_protocol_v2(request.scope["path"]):
        return Response(json.dumps({"error": _detail(error)}), status, headers, "application/json")
    content = problem(error, _instance(request.scope), request.scope["request_id"])
    return Response(json.dumps(content), status, headers, MEDIA_TYPE)


def in_protocol_v2(path: str) -> bool:
    """Whether errors have the shape of the Open Inference Protocol there."""
    return f"{path}/".startswith("/v2/")


def _detail(error: Exception) -> str:
    """One plain sentence, and always one of our own."""
    if isinstance(error, HTTPException):
        return error.detail
    if isinstance(error, RequestValidationError):
        return f"The parameter {error.errors()[0]['loc'][-1]} has a value it cannot have."
    if isinstance(error, QueueFull):
        return "As many requests wait as may wait; try again shortly."
    if isinstance(error, ApiError | PictureError):
        return str(error)
    return "The service failed; the request id finds it in the log."


def _instance(scope: Scope) -> str:
    """The route's template, so that no stranger's text is repeated."""
    return str(getattr(scope.get("route"), "path", scope.get("refused_route", "/")))


def _short(request: Request) -> bool:
    length = request.headers.get("content-length", "")
    return length.isdecimal() and int(length) <= SHORT_BYTES


def _status(error: Exception) -> int:
    if isinstance(error, PictureError):
        return PICTURE_STATUS[type(error)]
    if isinstance(error, ApiError):
        return error.status
    if isinstance(error, QueueFull):
        return Busy.status
    if isinstance(error, RequestValidationError):
        return 422
    if isinstance(error, ClientDisconnect):
        return CLIENT_CLOSED_REQUEST
    return error.status_code if isinstance(error, HTTPException) else 500
