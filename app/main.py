"""The application: what happens at start and at stop, and which routes there are."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app.api import errors, health, metrics, predict
from app.api.service import Limits, Service
from app.model import bundle
from app.model.batching import Batcher
from app.model.classifier import Classifier
from app.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """The service on the bundle `settings` names. Raises BundleError where that cannot be trusted."""
    opened = bundle.read(settings.bundle)
    series = metrics.Metrics(opened.manifest)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        batcher = Batcher(Classifier(opened), settings.max_queue)
        app.state.service = Service(opened, batcher, _limits(settings), series)
        yield
        batcher.close()

    app = FastAPI(
        title="bodyregion",
        summary="Which body region a radiology picture shows. Not a medical device.",
        version=opened.manifest.version,
        lifespan=lifespan,
        redoc_url=None,
    )
    app.add_middleware(metrics.Observed, metrics=series, model_version=opened.manifest.version)
    errors.install(app)
    for part in (predict, health, metrics):
        app.include_router(part.router)
    return app


def _limits(settings: Settings) -> Limits:
    return Limits(
        max_upload_bytes=settings.max_upload_bytes,
        max_request_bytes=settings.max_request_bytes,
        max_batch_files=settings.max_batch_files,
        max_pixels=settings.max_pixels,
        timeout_seconds=settings.request_timeout_seconds,
    )
