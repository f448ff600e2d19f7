"""What every request leaves behind: an id, one log line, its counts and durations."""

from time import perf_counter
from uuid import uuid4

import structlog
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.model.manifest import Manifest

SECONDS = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 1, 5)
MAX_ID = 128

router = APIRouter(tags=["operations"])
log = structlog.get_logger("bodyregion.request")


class Metrics:
    """The Prometheus series of one process."""

    def __init__(self, manifest: Manifest) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "bodyregion_http_requests", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self.duration = Histogram(
            "bodyregion_http_request_duration_seconds", "Whole request.", ["route"], buckets=SECONDS, registry=registry
        )
        self.stage = Histogram(
            "bodyregion_stage_duration_seconds", "Parts of a prediction.", ["stage"], buckets=SECONDS, registry=registry
        )
        self.predictions = Counter("bodyregion_predictions", "Pictures judged.", ["label"], registry=registry)
        info = Gauge("bodyregion_model_info", "The bundle in use.", ["name", "version"], registry=registry)
        info.labels(manifest.name, manifest.version).set(1)


class Observed:
    """ASGI middleware: gives each request its id, and counts, times and logs it. Never a file name, never a pixel."""

    def __init__(self, app: ASGIApp, metrics: Metrics, model_version: str) -> None:
        self.app, self.metrics, self.model_version = app, metrics, model_version

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        start, status = perf_counter(), 500
        scope["request_id"] = request_id = _request_id(scope)

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"], headers["X-Model-Version"] = request_id, self.model_version
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        finally:
            self._record(scope, status, perf_counter() - start)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unknown")  # the template, so that no stranger's text is a label
        method = scope["method"] if route != "unknown" else "OTHER"
        self.metrics.requests.labels(method, route, status).inc()
        self.metrics.duration.labels(route).observe(seconds)
        log.info(
            "request", id=scope["request_id"], method=method, route=route, status=status, ms=round(seconds * 1e3, 2)
        )


@router.get("/metrics", response_class=Response, summary="Prometheus metrics")
async def metrics(request: Request) -> Response:
    return Response(generate_latest(request.app.state.service.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _request_id(scope: Scope) -> str:
    """The client's own id where it is a short plain word, else a new one."""
    given: bytes = dict(scope["headers"]).get(b"x-request-id", b"")
    word = given.decode("latin-1")
    plain = word.isascii() and word.replace("-", "").replace("_", "").isalnum() and len(word) <= MAX_ID
    return word if plain else uuid4().hex
