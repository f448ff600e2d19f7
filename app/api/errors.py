"""Every refusal, each once: its status, its headers, its name in the metrics and its words in the OpenAPI document."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.imaging import DamagedPicture, Kind, PictureError, TooManyPixels, TooMuchWork, UnknownType, UnusablePicture

CLIENT_CLOSED_REQUEST = 499  # nobody is left to read it; the log and the metrics are


class ApiError(Exception):
    """A request refused; its message is one plain sentence, that of REFUSALS where it has none."""


class Malformed(ApiError): ...


class KeyNeeded(ApiError): ...


class NoModel(ApiError): ...


class TooSlow(ApiError): ...


class TooLarge(ApiError): ...


class Encoded(ApiError): ...


class Unusable(ApiError): ...


class HeadTooLarge(ApiError): ...


class Busy(ApiError): ...


class DeadlinePassed(ApiError): ...


class Refusal(NamedTuple):
    """What an error means to a caller. The metrics count those with a reason, and the document shows a status' first."""

    status: int
    reason: str = ""
    summary: str = ""
    sentence: str = ""
    headers: Mapping[str, str] = {}
    unread: bool = False  # said before the body is read
    kind: Kind | None = None  # of the picture, where that is refused


EXAMPLE_ID = "2f1c7d9e0a4b4c3f8e5d6a7b8c9d0e1f"
CLOSE = {"connection": "close"}  # the rest of the body is not wanted
REFUSALS: dict[type[Exception], Refusal] = {
    DamagedPicture: Refusal(
        400, "damaged", "The picture or the request is damaged.", "The picture is damaged.", kind=Kind.UNREADABLE
    ),
    Malformed: Refusal(400, "damaged"),
    KeyNeeded: Refusal(
        401,
        "unauthorized",
        "The key is missing or wrong.",
        "A key is needed, in the header X-API-Key or as Authorization: Bearer.",
        {"www-authenticate": 'Bearer realm="bodyregion", ApiKey'},
        unread=True,
    ),
    NoModel: Refusal(404, "", "Not the model in use, or not its version.", "There is no such model here."),
    TooSlow: Refusal(408, "slow", "The body came too slowly.", "The body did not arrive in time.", CLOSE),
    TooManyPixels: Refusal(
        413, "too large", "Too many bytes, pixels or files.", "The body has more than 67,108,864 bytes."
    ),
    TooMuchWork: Refusal(413, "too large"),
    TooLarge: Refusal(413, "too large", headers=CLOSE),
    UnknownType: Refusal(
        415,
        "unknown type",
        "Not a type that is read.",
        "The content is not a DICOM, JPEG, PNG, TIFF, BMP or WebP picture.",
        kind=Kind.NOT_A_PICTURE,
    ),
    Encoded: Refusal(415, "unknown type", headers={"accept-encoding": "identity"}, unread=True),
    UnusablePicture: Refusal(
        422,
        "unusable",
        "Understood, but no single picture that can be judged.",
        "The file is empty.",
        kind=Kind.UNREADABLE,
    ),
    Unusable: Refusal(422, "unusable"),
    HeadTooLarge: Refusal(431),
    ClientDisconnect: Refusal(CLIENT_CLOSED_REQUEST, "caller gone"),
    Exception: Refusal(500, sentence="The service failed; the request id finds it in the log."),
    Busy: Refusal(
        503,
        "full",
        "Full or leaving; see Retry-After.",
        "As many requests wait as may wait; try again shortly.",
        {"retry-after": "1"},
        unread=True,
    ),
    DeadlinePassed: Refusal(504, "deadline", "The request's deadline passed.", "The answer was not ready in time."),
}


def refusal(error: Exception) -> Refusal:
    """The refusal for `error`, or else for what it is a kind of, with the error's own sentence where that is one of ours."""
    if isinstance(error, HTTPException):  # from Starlette's routing and files
        return Refusal(error.status_code, sentence=error.detail, headers=error.headers or {})
    found = next(REFUSALS[kind] for kind in type(error).__mro__ if kind in REFUSALS)
    if isinstance(error, PictureError):
        found = found._replace(kind=error.kind)
    own = str(error) if isinstance(error, ApiError | PictureError) else ""
    return found._replace(sentence=own) if own else found


class Problem(BaseModel):
    """A refusal, RFC 9457."""

    model_config = ConfigDict(json_schema_extra=lambda schema: schema.update(examples=[EXAMPLE]))

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    kind: Kind | None = Field(None, description="What the file turned out to be; null where the request is refused.")

    @classmethod
    def of(cls, refusal: Refusal, instance: str, request_id: str) -> "Problem":
        status = refusal.status
        title = "Client Closed Request" if status == CLIENT_CLOSED_REQUEST else HTTPStatus(status).phrase
        return cls(
            title=title,
            status=status,
            detail=refusal.sentence,
            instance=instance,
            request_id=request_id,
            kind=refusal.kind,
        )


EXAMPLE: JsonDict = Problem.of(REFUSALS[UnusablePicture], "/predict/batch", EXAMPLE_ID).model_dump()


class InferError(BaseModel):
    """A refusal."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"error": REFUSALS[NoModel].sentence}]})

    error: str
