"""The routes that judge pictures: parse, one call, shape the reply."""

import numpy as np
from fastapi import Request, Response
from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool

from app.api import uploads
from app.api.errors import NoPicture, problem
from app.api.limits import Timing
from app.api.refusals import PICTURE, problems
from app.api.routing import JudgingRoute, Router
from app.api.schemas import FILE, ONE_PICTURE, PNG, Batch, Explanation, Prediction
from app.api.service import Service, service_of
from app.imaging.preview import overlay

MANY_FILES = {
    "type": "object",
    "required": ["files"],
    "properties": {"files": {"type": "array", "minItems": 1, "items": FILE}},
}

WHICH = "Of a picture with several: the middle one, or all, averaged and each."
FRAMES = {
    "name": "frames",
    "in": "query",
    "required": False,
    "description": WHICH,
    "schema": {
        "enum": ["middle", "all"],
        "type": "string",
        "description": WHICH,
        "default": "middle",
        "title": "Frames",
    },
}

router = Router(tags=["prediction"], responses=problems(*PICTURE), route_class=JudgingRoute)


@router.post(
    "/predict",
    summary="Judge one picture",
    response_model=Prediction,
    openapi_extra={"requestBody": ONE_PICTURE, "parameters": [FRAMES]},
)
async def predict(request: Request) -> Response:
    service = service_of(request)
    judge = {"middle": service.predict, "all": service.predict_frames}.get(request.query_params.get("frames", "middle"))
    if judge is None:
        raise NoPicture("The parameter frames has a value it cannot have.")
    async with service.visit(request) as visit:
        answer = await judge(await uploads.one_file(visit), visit)
    return reply(to_json(answer), service, visit.timing)


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
    return reply(to_json({"results": results}), service, visit.timing)


@router.post(
    "/explain",
    summary="The picture under a map of the evidence for its most probable class; as numbers where JSON is asked for",
    response_model=Explanation,
    responses={200: {"content": PNG}},
    openapi_extra={"requestBody": ONE_PICTURE},
)
async def explain(request: Request) -> Response:
    service = service_of(request)
    async with service.visit(request) as visit:
        found = await service.explain(await uploads.one_file(visit), visit)
        strongest = int(found.evidence.mean(axis=(0, 1)).argmax())
        if "application/json" in request.headers.get("accept", ""):
            grids = dict(zip(found.classes, np.moveaxis(found.evidence, -1, 0).tolist(), strict=True))
            content = found.prediction | {"explained": found.classes[strongest], "evidence": grids}
            return reply(to_json(content), service, visit.timing)
        png = await run_in_threadpool(overlay, found.picture.pixels, found.evidence[:, :, strongest])
    return reply(png, service, visit.timing, "image/png")


@router.post(
    "/thumbnail",
    summary="The picture in grey, as PNG of at most 256 pixels a side",
    response_class=Response,
    responses={200: {"content": PNG}},
    openapi_extra={"requestBody": ONE_PICTURE},
)
async def thumbnail(request: Request) -> Response:
    service = service_of(request)
    async with service.visit(request) as visit:
        png = await service.preview(await uploads.one_file(visit), visit)
    return reply(png, service, visit.timing, "image/png")


def _entry(request: Request, index: int, answer: dict[str, object] | Exception) -> dict[str, object]:
    if isinstance(answer, Exception):
        return {"index": index, "error": problem(answer, request.scope["path"], request.scope["request_id"])}
    return {"index": index} | answer


def reply(content: bytes, service: Service, timing: Timing, media_type: str = "application/json") -> Response:
    service.metrics.timed(timing)
    return Response(content, headers={"Server-Timing": timing.header()}, media_type=media_type)
