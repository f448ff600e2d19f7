"""The application: what happens at start and at stop, and which routes there are."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import to_thread
from fastapi import FastAPI

from app.api import errors, explain, health, metrics, predict
from app.api.service import Service
from app.api.uploads import Limits
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
        # Decoding is bounded work: a 40 megapixel picture takes 300 MB while it lasts.
        to_thread.current_default_thread_limiter().total_tokens = len(os.sched_getaffinity(0))
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
    for part in (predict, explain, health, metrics):
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
