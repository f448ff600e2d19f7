"""POST /explain: which part of the picture speaks for its label."""

import numpy as np
from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from app.api import uploads
from app.api.predict import reply
from app.api.refusals import PICTURE, problems
from app.api.routing import JudgingRoute, Router
from app.api.schemas import ONE_PICTURE, PNG, Explanation
from app.api.service import service_of
from app.imaging.preview import overlay

router = Router(tags=["prediction"], responses=problems(*PICTURE), route_class=JudgingRoute)


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
            return reply(content, service, visit.timing)
        png = await run_in_threadpool(overlay, found.picture.pixels, found.evidence[:, :, strongest])
    service.metrics.timed(visit.timing)
    return Response(png, headers={"Server-Timing": visit.timing.header()}, media_type="image/png")
