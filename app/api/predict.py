"""POST /predict and /predict/batch: parse, one call, shape the reply."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from app.api import forms
from app.api.errors import DeadlinePassed, Malformed, NoPicture, TooLarge, problem
from app.api.limits import receive
from app.api.schemas import Batch, Prediction, Problem
from app.api.service import Service, ServiceOf, Timing

FORM_OVERHEAD = 64 * 1024  # boundaries, part headers and a few fields beside the picture

BINARY = {"schema": {"type": "string", "format": "binary"}}
ONE_FILE = {"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}
MANY_FILES = {
    "type": "object",
    "required": ["files"],
    "properties": {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}},
}
REFUSALS = {
    400: "The picture or the request is damaged.",
    408: "The body came too slowly.",
    413: "Too many bytes, pixels or files.",
    415: "Not a type that is read.",
    422: "Understood, but no single picture that can be judged.",
    503: "Full or leaving; see Retry-After.",
    504: "The request's deadline passed.",
}
PROBLEMS: dict[int | str, dict[str, object]] = {
    status: {"model": Problem, "description": text, "content": {"application/problem+json": {}}}
    for status, text in REFUSALS.items()
}

router = APIRouter(tags=["prediction"], responses=PROBLEMS)


@router.post(
    "/predict",
    summary="Judge one picture",
    response_model=Prediction,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": ONE_FILE},
                "image/*": BINARY,
                "application/octet-stream": BINARY,
            },
        }
    },
)
async def predict(request: Request, service: ServiceOf) -> Response:
    service.admit()
    deadline = asyncio.get_running_loop().time() + service.limits.timeout_seconds
    data = await _one_file(request, service, deadline)
    async with _until(deadline):
        answer, timing = await service.predict(data)
    return _reply(answer, timing)


@router.post(
    "/predict/batch",
    summary="Judge many pictures, each with its own answer or error",
    response_model=Batch,
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": MANY_FILES}}}},
)
async def predict_batch(request: Request, service: ServiceOf) -> Response:
    service.admit()
    deadline = asyncio.get_running_loop().time() + service.limits.timeout_seconds
    files = await _many_files(request, service, deadline)
    async with _until(deadline):
        answers, timing = await service.predict_all(files)
    results = [_entry(request, index, answer) for index, answer in enumerate(answers)]
    return _reply({"results": results}, timing)


async def _one_file(request: Request, service: Service, deadline: float) -> bytes:
    content_type = request.headers.get("content-type", "")
    if not forms.is_multipart(content_type):
        return await receive(request, service.limits.max_upload_bytes, deadline)
    body = await receive(request, service.limits.max_upload_bytes + FORM_OVERHEAD, deadline)
    files = forms.files(body, content_type, "file", 1)
    if len(files) != 1:
        raise NoPicture("The form needs exactly one field called file.")
    return files[0]


async def _many_files(request: Request, service: Service, deadline: float) -> list[bytes]:
    content_type = request.headers.get("content-type", "")
    if not forms.is_multipart(content_type):
        raise Malformed("A batch is a multipart form with a field called files for each picture.")
    most = service.limits.max_batch_files
    body = await receive(request, service.limits.max_request_bytes, deadline)
    files = forms.files(body, content_type, "files", most)
    if not files:
        raise NoPicture("The form has no field called files.")
    if len(files) > most:
        raise TooLarge(f"The form has more than {most} files.")
    return files


@asynccontextmanager
async def _until(deadline: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError as error:
        raise DeadlinePassed("The answer was not ready in time.") from error


def _entry(request: Request, index: int, answer: dict[str, object] | Exception) -> dict[str, object]:
    if isinstance(answer, Exception):
        return {"index": index, "error": problem(answer, request.url.path, request.scope["request_id"])}
    return {"index": index} | answer


def _reply(content: dict[str, object], timing: Timing) -> Response:
    return JSONResponse(content, headers={"Server-Timing": timing.header()})
