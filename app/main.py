"""The application: what happens at start and at stop, and which routes there are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from operator import methodcaller

from anyio import to_thread
from fastapi import FastAPI

from app.api import document, errors, health, inference_v2, metrics, page, predict, security
from app.api.decoding import DecodeService
from app.api.limits import Budget, Limits, Turnstile
from app.api.reload import Reload
from app.api.service import Service
from app.imaging import PictureError, SizeLimits
from app.imaging.sandbox import DecoderPool
from app.model.batching import Batcher
from app.model.bundle import Bundle
from app.model.classifier import Classifier
from app.settings import Settings, usable_cores

JUDGING = {route.path for part in (predict, inference_v2) for route in part.router.routes if "POST" in route.methods}
BODIES = 2  # largest requests whose bodies may be held at a time


def create_app(settings: Settings, opened: Bundle) -> FastAPI:
    """The service on a bundle with its compiled model. Raises BundleError at start where that cannot be trusted."""
    series = metrics.Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = usable_cores()  # a map of heat takes 40 MB and more
        # The decoders start while the model is loaded.
        decoders = DecoderPool(settings.cores, SizeLimits(settings.max_pixels, settings.max_frames))
        batcher = Batcher(Classifier(opened), settings.max_queue)
        _try(decoders, opened)
        budget = Budget(BODIES * settings.max_request_bytes)
        limits = _limits(settings)
        decoding = DecodeService(decoders, limits, settings.cores)
        app.state.service = service = Service(batcher, limits, series, budget, decoding)
        app.state.reload = Reload(service, settings.bundle, settings.cache)
        series.serves(None, opened.manifest)
        following = asyncio.create_task(app.state.reload.run())
        yield
        following.cancel()
        await service.batcher.close()
        decoders.close()

    app = FastAPI(
        title="bodyregion",
        summary="Which body region a radiology picture shows. Not a medical device.",
        version="1",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's own would come from elsewhere; ours is in `page`
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # or each request asks the environment, 4 µs
        redirect_slashes=False,  # the redirection would repeat the Host header and the query
    )
    errors.install(app)
    for part in (predict, inference_v2, health, metrics, page):
        app.router.routes.extend(part.router.routes)  # included, they would be looked for twice for every request
    document.install(app)
    app.add_middleware(Turnstile, routes=JUDGING)
    security.install(app, settings.api_keys, settings.cors_origins)
    app.add_middleware(metrics.Observed, metrics=series)  # outermost, so that refusals are counted too
    return app


def _try(decoders: DecoderPool, opened: Bundle) -> None:
    """Raises what keeps them from decoding here, before a picture is blamed for it."""
    golden = opened.path(opened.manifest.golden[0].file).read_bytes()
    [decoded] = decoders(methodcaller("read"), [golden], over=lambda: False)
    if isinstance(decoded, PictureError):
        raise decoded


def _limits(settings: Settings) -> Limits:
    return Limits(
        max_upload_bytes=settings.max_upload_bytes,
        max_request_bytes=settings.max_request_bytes,
        max_batch_files=settings.max_batch_files,
        max_pixels=settings.max_pixels,
        max_frames=settings.max_frames,
        timeout_seconds=settings.request_timeout_seconds,
    )
