"""Probes and the model's description."""

from time import monotonic

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from app.api.routing import Router
from app.api.schemas import MODEL, Alive, Health, ModelInfo
from app.api.service import service_of
from app.model.reference import reference
from app.model.verdict import model_ref

router = Router(tags=["operations"])

DRAINING = {"application/json": {"example": {"status": "draining", "model": MODEL, "uptime_seconds": 86400.0}}}
UNREADY: dict[int | str, dict[str, object]] = {
    503: {"model": Health, "description": "Draining: send no more.", "content": DRAINING}
}


@router.get("/health", summary="Ready, and with which model", response_model=Health, responses=UNREADY)
@router.get("/readyz", summary="Readiness probe", response_model=Health, responses=UNREADY)
async def health(request: Request) -> Response:
    service = service_of(request)
    content = {
        "status": "draining" if service.draining else "ok",
        "model": model_ref(service.bundle.manifest),
        "uptime_seconds": round(monotonic() - service.started, 3),
    }
    return JSONResponse(content, 503, {"Retry-After": "1"}) if service.draining else JSONResponse(content)


@router.get("/livez", summary="Liveness probe", response_model=Alive)
async def livez() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/model", summary="The model, its figures and its card", response_model=ModelInfo)
async def model(request: Request) -> dict[str, object]:
    service = service_of(request)
    manifest = service.bundle.manifest
    fields = manifest.model_dump(include={"name", "version", "classes", "input", "metrics", "ood", "data", "training"})
    return fields | {"reference": reference(manifest), "card": service.bundle.card}
