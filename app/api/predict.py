"""POST /predict and /predict/batch: parse, one call, shape the reply."""

from fastapi import Request, Response
from pydantic_core import to_json

from app.api import uploads
from app.api.errors import NoPicture, problem
from app.api.limits import Timing
from app.api.refusals import PICTURE, problems
from app.api.routing import JudgingRoute, Router
from app.api.schemas import FILE, ONE_PICTURE, Batch, Prediction
from app.api.service import Service, service_of

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
    return Response(to_json(content), headers={"Server-Timing": timing.header()}, media_type="application/json")
