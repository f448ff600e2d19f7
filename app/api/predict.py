"""POST /predict and /predict/batch: parse, one call, shape the reply."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from app.api import uploads
from app.api.errors import problem
from app.api.limits import Timing
from app.api.refusals import PICTURE, problems
from app.api.schemas import FILE, ONE_PICTURE, Batch, Prediction
from app.api.service import Service, service_of

MANY_FILES = {
    "type": "object",
    "required": ["files"],
    "properties": {"files": {"type": "array", "minItems": 1, "items": FILE}},
}

Frames = Annotated[
    Literal["middle", "all"], Query(description="Of a picture with several: the middle one, or all, averaged and each.")
]

router = APIRouter(tags=["prediction"], responses=problems(*PICTURE))


@router.post(
    "/predict",
    summary="Judge one picture",
    response_model=Prediction,
    openapi_extra={"requestBody": ONE_PICTURE},
)
async def predict(request: Request, frames: Frames = "middle") -> Response:
    service = service_of(request)
    judge = service.predict_frames if frames == "all" else service.predict
    async with service.visit(request) as visit:
        answer = await judge(await uploads.one_file(visit), visit)
    return reply(answer, service, visit.timing)


@router.post(
    "/predict/batch",
    summary="Judge many pictures, each with its own answer or error",
    response_model=Batch,
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": MANY_FILES}}}},
)
async def predict_batch(request: Request) -> Response:
    service = service_of(request)
    async with service.visit(request) as visit:
        answers = await service.predict_all(await uploads.many_files(visit), visit)
    results = [_entry(request, index, answer) for index, answer in enumerate(answers)]
    return reply({"results": results}, service, visit.timing)


def _entry(request: Request, index: int, answer: dict[str, object] | Exception) -> dict[str, object]:
    if isinstance(answer, Exception):
        return {"index": index, "error": problem(answer, request.scope["path"], request.scope["request_id"])}
    return {"index": index} | answer


def reply(content: dict[str, object], service: Service, timing: Timing) -> Response:
    service.metrics.timed(timing)
    return JSONResponse(content, headers={"Server-Timing": timing.header()})
