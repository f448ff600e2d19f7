"""The routes that judge pictures: parse, one call, shape the reply."""

from typing import Any

import numpy as np
from fastapi import Response
from pydantic import BaseModel, Field
from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool

from app.api import errors, uploads
from app.api.hints import hinted
from app.api.openapi import MANY_PICTURES, ONE_PICTURE, PICTURE_REFUSALS, PNG, Router, example, problems
from app.api.request import RequestContext
from app.api.series import EXAMPLE_SERIES, Series
from app.api.service import JudgingRoute, service_of
from app.imaging.preview import overlay
from app.model.prediction import EXAMPLE, EXAMPLE_DICOM, Dicom, ModelRef, Prediction

JSON = "application/json"
FRAMES_DESCRIPTION = "Of a picture with several: the middle one, or all, averaged and each."
FRAMES = {
    "name": "frames",
    "in": "query",
    "required": False,
    "description": FRAMES_DESCRIPTION,
    "schema": {
        "enum": ["middle", "all"],
        "type": "string",
        "description": FRAMES_DESCRIPTION,
        "default": "middle",
        "title": "Frames",
    },
}

router = Router(tags=["prediction"], responses=problems(*PICTURE_REFUSALS), route_class=JudgingRoute)


class Explanation(Prediction):
    """A prediction, and for each class the evidence whose mean over the grid is its logit before temperature."""

    model_config = example(EXAMPLE | {"explained": "Hand", "evidence": {"Hand": [[1.5, 9.2]], "HeadCT": [[0.2, 1.9]]}})

    explained: str = Field(description="The class that the evidence is shown for: the most probable one.")
    evidence: dict[str, list[list[float]]] = Field(description="For each class rows of cells, from the top left.")


def _predicted(field: str) -> Any:
    """The field of a prediction where there may be none."""
    return Field(None, description=f"{Prediction.model_fields[field].description} Absent beside an error.")


class BatchEntry(BaseModel):
    """One file of a batch: a prediction's fields, or the error that met it."""

    index: int = Field(description="Which of the files, from 0 on.")
    error: errors.Problem | None = Field(None, description="Why there is no prediction; absent where there is one.")
    label: str | None = _predicted("label")
    confidence: float | None = _predicted("confidence")
    accepted: bool | None = _predicted("accepted")
    ood_score: float | None = _predicted("ood_score")
    probabilities: dict[str, float] | None = _predicted("probabilities")
    model: ModelRef | None = _predicted("model")
    dicom: Dicom | None = _predicted("dicom")


class Batch(BaseModel):
    model_config = example(
        {
            "results": [{"index": 0} | EXAMPLE | {"dicom": EXAMPLE_DICOM}, {"index": 1, "error": errors.EXAMPLE}],
            "series": [EXAMPLE_SERIES],
        }
    )

    results: list[BatchEntry] = Field(description="One for each file, in order.")
    series: list[Series] = Field(
        description="One for each series, in the order of its first file; without DICOM files that name theirs, none."
    )


@router.post(
    "/predict",
    summary="Judge one picture",
    response_model=Prediction,
    response_description="What the picture shows.",
    openapi_extra={"requestBody": ONE_PICTURE, "parameters": [FRAMES]},
)
async def predict(context: RequestContext) -> Response:
    service = service_of(context)
    ask = {"middle": service.predict, "all": service.predict_frames}.get(context.query_params.get("frames", "middle"))
    if ask is None:
        raise errors.Unusable("The parameter frames is middle or all.")
    found = await ask(await uploads.one_file(context), context)
    return Response(found.model_dump_json(exclude_unset=True), media_type=JSON)


@router.post(
    "/predict/batch",
    summary="Judge many pictures, each with its own answer or error, and series of them together",
    response_model=Batch,
    response_description="A prediction or an error for each file, and what the files of each series show.",
    openapi_extra={"requestBody": MANY_PICTURES},
)
async def predict_batch(context: RequestContext) -> Response:
    found, series = await service_of(context).predict_series(await uploads.many_files(context), context)
    results = [_entry(context, index, one) for index, one in enumerate(found)]
    return Response(to_json({"results": results, "series": series}), media_type=JSON)


@router.post(
    "/explain",
    summary="The picture under a map of the evidence for its most probable class; as numbers where JSON is asked for",
    response_model=Explanation,
    response_description="The picture under its map, or the evidence as numbers.",
    responses={200: {"content": PNG}},
    openapi_extra={"requestBody": ONE_PICTURE},
)
async def explain(context: RequestContext) -> Response:
    found, evidence, picture = await service_of(context).explain(await uploads.one_file(context), context)
    strongest = int(evidence.mean(axis=(0, 1)).argmax())
    if JSON not in context.headers.get("accept", ""):
        png = await run_in_threadpool(overlay, picture.pixels, evidence[:, :, strongest])
        return Response(png, media_type="image/png")
    classes = list(found.probabilities)
    grids = dict(zip(classes, np.moveaxis(evidence, -1, 0).tolist(), strict=True))
    content = found.model_dump(exclude_unset=True) | {"explained": classes[strongest], "evidence": grids}
    return Response(to_json(content), media_type=JSON)


@router.post(
    "/thumbnail",
    summary="The picture in grey, as PNG of at most 256 pixels a side",
    response_class=Response,
    response_description="The picture, small.",
    responses={200: {"content": PNG}},
    openapi_extra={"requestBody": ONE_PICTURE},
)
async def thumbnail(context: RequestContext) -> Response:
    png = await service_of(context).preview(await uploads.one_file(context), context)
    return Response(png, media_type="image/png")


def _entry(context: RequestContext, index: int, found: Prediction | Exception) -> dict[str, object]:
    if isinstance(found, Exception):
        return {"index": index, "error": context.problem(errors.refusal(hinted(found, context, index)))}
    return {"index": index} | found.model_dump(exclude_unset=True)
