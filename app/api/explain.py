"""POST /explain: which part of the picture speaks for its label."""

import numpy as np
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from app.api import uploads
from app.api.predict import ONE_PICTURE, PROBLEMS
from app.api.schemas import Explanation
from app.api.service import ServiceOf
from app.imaging.heatmap import overlay

PNG = {"image/png": {"schema": {"type": "string", "format": "binary"}}}

router = APIRouter(tags=["prediction"], responses=PROBLEMS)


@router.post(
    "/explain",
    summary="The picture under a map of the evidence for its most probable class; as numbers where JSON is asked for",
    response_model=Explanation,
    responses={200: {"content": PNG}},
    openapi_extra={"requestBody": ONE_PICTURE},
)
async def explain(request: Request, service: ServiceOf) -> Response:
    service.admit()
    deadline = uploads.deadline(service.limits)
    data = await uploads.one_file(request, service.limits, deadline)
    async with uploads.until(deadline):
        found = await service.explain(data)
        classes = service.bundle.manifest.classes
        strongest = int(found.evidence.mean(axis=(0, 1)).argmax())
        headers = {"Server-Timing": found.timing.header()}
        if "application/json" in request.headers.get("accept", ""):
            grids = dict(zip(classes, np.moveaxis(found.evidence, -1, 0).tolist(), strict=True))
            content = found.prediction | {"explained": classes[strongest], "evidence": grids}
            return JSONResponse(content, headers=headers)
        png = await run_in_threadpool(overlay, found.picture.pixels, found.evidence[:, :, strongest])
        return Response(png, headers=headers, media_type="image/png")
