"""Probes and the model's description."""

from time import monotonic
from typing import Literal

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, JsonValue
from pydantic.config import JsonDict

from app.api.openapi import Router, example
from app.api.service import service_of
from app.model.manifest import Input, Metric, Ood
from app.model.prediction import MODEL, ModelRef
from app.model.reference import Reference, reference

router = Router(tags=["operations"])

DESCRIBED: JsonDict = MODEL | {
    "classes": ["Hand", "HeadCT"],
    "input": {"size": 64, "channels": 1, "resample": "squash-box"},
    "metrics": {"accuracy": {"value": 0.998, "low": 0.997, "high": 0.999, "n": 5896}},
    "ood": {"method": "free energy", "threshold": 0.5, "parameters": {}},
    "data": {"source": "Medical MNIST"},
    "training": {"preset": "robust"},
    "reference": {"pictures": 5300, "class_share": {"Hand": 0.17}, "accepted": 0.99, "confidence": 0.999},
    "card": "# mednist",
}


class Health(BaseModel):
    model_config = example({"status": "ok", "model": MODEL, "uptime_seconds": 12.345})

    status: Literal["ok", "draining", "unhealthy"] = Field(
        description="ok; draining, with a 503, while the service stops."
    )
    model: ModelRef = Field(description="Which bundle answers.")
    uptime_seconds: float = Field(description="Since the model was loaded.")


class ModelInfo(BaseModel):
    """What bundle.json says, the test split to hold the series of /metrics against, and the card."""

    model_config = example(DESCRIBED)

    name: str = Field(description="The bundle's name.")
    version: str = Field(description="12 hex digits of a checksum of all that is in the bundle.")
    classes: list[str] = Field(description="In the order of the probabilities.")
    input: Input = Field(description="What the model takes.")
    metrics: dict[str, Metric] = Field(description="Figures by name, each with its 95 % interval.")
    ood: Ood | None = Field(description="How strangers are told; null where they cannot be.")
    data: dict[str, JsonValue] = Field(description="What it was trained on.")
    training: dict[str, JsonValue] = Field(description="How it was trained.")
    reference: Reference | None = Field(description="What its test split gave; null where the bundle was never scored.")
    card: str = Field(description="The model card, Markdown.")


class Alive(BaseModel):
    model_config = example({"status": "ok"})

    status: Literal["ok"] = Field(description="Always ok.")


DRAINING = {"application/json": {"example": {"status": "draining", "model": MODEL, "uptime_seconds": 86400.0}}}
UNREADY: dict[int | str, dict[str, object]] = {
    503: {"model": Health, "description": "Draining: send no more.", "content": DRAINING}
}


@router.get(
    "/health",
    summary="Ready, and with which model",
    response_description="Ready.",
    response_model=Health,
    responses=UNREADY,
)
@router.get(
    "/readyz", summary="Readiness probe", response_description="Ready.", response_model=Health, responses=UNREADY
)
async def health(request: Request) -> Response:
    service = service_of(request)
    content = {
        "status": "draining" if service.draining else "ok",
        "model": service.bundle.manifest.model_dump(include={"name", "version"}),
        "uptime_seconds": round(monotonic() - service.started, 3),
    }
    return JSONResponse(content, 503, {"Retry-After": "1"}) if service.draining else JSONResponse(content)


@router.get("/livez", summary="Liveness probe", response_description="Alive.", response_model=Alive)
async def livez() -> dict[str, str]:
    return {"status": "ok"}


@router.get(
    "/model",
    summary="The model, its figures and its card",
    response_description="The bundle in use.",
    response_model=ModelInfo,
)
async def model(request: Request) -> dict[str, object]:
    service = service_of(request)
    manifest = service.bundle.manifest
    return manifest.model_dump() | {"reference": reference(manifest), "card": service.bundle.card}
