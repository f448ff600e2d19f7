"""The application: what happens at start and at stop, and which routes there are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from operator import methodcaller

from anyio import to_thread
from fastapi import FastAPI

from app import __version__
from app.api import health, metrics, openapi, page, predict, request, security
from app.api.admission import Admission
from app.api.decoding import DecodeService
from app.api.reload import Reload
from app.api.service import Service
from app.api.v2 import routes as v2
from app.api.v2.wire import InferRequest
from app.imaging import PictureError, SizeLimits
from app.imaging.sandbox import DecoderPool
from app.limits import Capacity, usable_cores
from app.model.batching import Batcher
from app.model.bundle import Bundle
from app.model.classifier import Classifier
from app.settings import Settings

JUDGING = {route.path for part in (predict, v2) for route in part.router.routes if "POST" in route.methods}
BODIES_HELD = 2  # largest requests whose bodies may be held at a time


def create_app(settings: Settings, opened: Bundle) -> FastAPI:
    """The service on a bundle with its compiled model. Raises BundleError at start where that cannot be trusted."""
    series = metrics.Metrics()
    capacity = Capacity(settings.max_queue, BODIES_HELD * settings.max_request_bytes)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = usable_cores()  # a map of heat takes 40 MB and more
        decoders = DecoderPool(settings.cores, SizeLimits(settings.max_pixels, settings.max_frames))
        batcher = Batcher(Classifier(opened))  # while the first decoder starts
        _try(decoders, opened)
        app.state.service = service = Service(batcher, DecodeService(decoders, settings, settings.cores), series)
        app.state.reload = Reload(service, settings.bundle, settings.cache)
        series.set_model(None, opened.manifest)
        following = asyncio.create_task(app.state.reload.run())
        yield
        following.cancel()
        decoders.close()

    app = FastAPI(
        title="bodyregion",
        summary="Which body region a radiology picture shows. Not a medical device.",
        description=openapi.DESCRIPTION,
        version=__version__,
        license_info={"name": "MIT", "identifier": "MIT"},
        lifespan=lifespan,
        docs_url=None,  # FastAPI's own would come from elsewhere; ours is in `page`
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # or each request asks the environment, 4 µs
        redirect_slashes=False,  # the redirection would repeat the Host header and the query
    )
    request.install(app)
    for part in (predict, v2, health, metrics, page):
        app.router.routes.extend(part.router.routes)  # included, they would be looked for twice for every request
    openapi.install(app, InferRequest)
    for part in (v2, health, metrics, page):
        for route in part.router.routes:
            if "GET" in route.methods:
                route.methods.add("HEAD")  # RFC 9110 9.1; only now, or the document would have each twice
    app.add_middleware(Admission, routes=JUDGING, capacity=capacity)
    security.install(app, settings.api_keys, settings.cors_origins)
    # Outermost, so that refusals are counted too.
    app.add_middleware(metrics.RequestLog, metrics=series, limits=settings, capacity=capacity)
    return app


def _try(decoders: DecoderPool, opened: Bundle) -> None:
    """Raises what keeps them from decoding here, before a picture is blamed for it."""
    golden = opened.path(opened.manifest.golden[0].file).read_bytes()
    [decoded] = decoders(methodcaller("read"), [golden], over=lambda: False)
    if isinstance(decoded, PictureError):
        raise decoded
