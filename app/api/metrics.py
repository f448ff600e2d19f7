"""What every request leaves behind: an id, one log line, its counts and durations."""

import os
from collections.abc import Sequence
from math import nan
from random import getrandbits
from time import perf_counter
from typing import Any, Literal

import structlog
from fastapi import Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api import security
from app.api.errors import answer
from app.api.limits import STAGES, Timing
from app.api.routing import Router
from app.model.manifest import Manifest
from app.model.reference import reference

PREFIX = "bodyregion_"
CONFIDENCE = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1)
SECONDS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 1, 5)
MAX_ID = 128
REASONS = {
    400: "damaged",
    401: "unauthorized",
    408: "slow",
    413: "too large",
    415: "unknown type",
    422: "unusable",
    499: "caller gone",
    503: "full",
    504: "deadline",
}

Mode = Literal["livesum", "livemostrecent"]  # how the gauges of all workers become one

EXPOSITION = {
    "text/plain": {"schema": {"type": "string"}, "example": 'bodyregion_predictions_total{label="Hand"} 1.0\n'}
}

router = Router(tags=["operations"])
log = structlog.get_logger()


class Metrics:
    """The Prometheus series of one process; those of all workers add up where PROMETHEUS_MULTIPROC_DIR is set."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = self._counter("http_requests", "Requests answered.", "method", "route", "status")
        self.duration = self._histogram("http_request_duration_seconds", "Whole request.", SECONDS, "route")
        stage = self._histogram("stage_duration_seconds", "Parts of a prediction.", SECONDS, "stage")
        self.stages = {name: stage.labels(name) for name in STAGES}
        self.rejections = self._counter("rejections", "Requests refused or given up.", "reason")
        self.predictions = self._counter("predictions", "Pictures judged; none: refused as a stranger.", "label")
        self.acceptance = self._counter("acceptance", "Pictures by whether they were accepted.", "accepted")
        self.confidence = self._histogram("confidence", "Highest probability of a picture.", CONFIDENCE)
        self.queue_depth = self._gauge("queue_depth", "Requests between body and answer.")
        self.model_info = self._gauge("model_info", "Workers that serve this bundle.", "name", "version")
        self.reloads = self._counter("model_reloads", "Changes of bundle while serving.", "result")
        for result in ("done", "refused"):  # from zero on, or a first one would be no increase
            self.reloads.labels(result)
        last: Mode = "livemostrecent"  # of the workers, when they change over one after another
        self.class_share = self._gauge("reference_class_share", "Of the bundle's own test split.", "label", mode=last)
        self.accepted = self._gauge("reference_acceptance", "Share of the bundle's own test split.", mode=last)
        self.certainty = self._gauge("reference_confidence", "Mean over the bundle's own test split.", mode=last)

    def exposition(self) -> bytes:
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        everyone = CollectorRegistry()
        MultiProcessCollector(everyone)  # type: ignore[no-untyped-call]
        return generate_latest(everyone)

    def timed(self, timing: Timing) -> None:
        for name, stage in self.stages.items():
            stage.observe(getattr(timing, name))

    def judged(self, answer: dict[str, Any]) -> None:
        self.predictions.labels(answer["label"] or "none").inc()
        self.acceptance.labels(str(answer["accepted"]).lower()).inc()
        self.confidence.observe(answer["confidence"])

    def serves(self, old: Manifest | None, new: Manifest) -> None:
        if old:
            self.model_info.labels(old.name, old.version).set(0)
        self.model_info.labels(new.name, new.version).set(1)
        self._expects(old, new)

    def _expects(self, old: Manifest | None, new: Manifest) -> None:
        """What the new bundle's test split gave; not a number where that is not known."""
        found = reference(new)
        shares = dict.fromkeys(old.classes, 0.0) if old else {}
        for label, share in (shares | (found.class_share if found else {})).items():
            self.class_share.labels(label).set(share)
        self.accepted.set(nan if found is None or found.accepted is None else found.accepted)
        self.certainty.set(nan if found is None or found.confidence is None else found.confidence)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(PREFIX + name, text, labels, buckets=buckets, registry=self._registry)

    def _gauge(self, name: str, text: str, *labels: str, mode: Mode = "livesum") -> Gauge:
        return Gauge(PREFIX + name, text, labels, registry=self._registry, multiprocess_mode=mode)


class Observed:
    """ASGI middleware: gives each request its id, and counts, times and logs it. Never a file name, never a pixel."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        start, status = perf_counter(), 0
        scope["request_id"] = request_id = _request_id(scope)

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                ours = (b"x-request-id", request_id.encode()), (b"x-model-version", _model_version(scope).encode())
                message["headers"] = [*message["headers"], *ours, *security.headers(scope["path"])]
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except Exception as error:
            if not status:  # here, because Starlette would answer outside of us, without our headers
                await (await answer(Request(scope), error))(scope, receive, send_with_headers)
            raise
        finally:
            self._record(scope, status or 500, perf_counter() - start)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope.get("refused_route") or getattr(
            scope.get("route"), "path", "unknown"
        )  # the template, so that no stranger's text is a label
        method = scope["method"] if route != "unknown" else "OTHER"
        self.metrics.requests.labels(method, route, status).inc()
        self.metrics.duration.labels(route).observe(seconds)
        self.metrics.queue_depth.set(scope["app"].state.service.batcher.places)
        if (reason := REASONS.get(status)) and not security.is_open(scope["path"]):  # a probe is told, not refused
            self.metrics.rejections.labels(reason).inc()
        say = log.debug if "refused_route" in scope else log.info  # a line for each would make refusing dear
        say("request", id=scope["request_id"], method=method, route=route, status=status, ms=round(seconds * 1e3, 2))


@router.get("/metrics", response_class=Response, responses={200: {"content": EXPOSITION}}, summary="Prometheus metrics")
async def metrics(request: Request) -> Response:
    return Response(request.app.state.service.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)


def _model_version(scope: Scope) -> str:
    """That of the bundle that judged this request, or else of the one in use."""
    version: str = scope.get("model_version") or scope["app"].state.service.bundle.manifest.version
    return version


def _request_id(scope: Scope) -> str:
    """The client's own id where it is a short plain word, else a new one."""
    given: bytes = dict(scope["headers"]).get(b"x-request-id", b"")
    word = given.decode("latin-1")
    plain = word.isascii() and word.replace("-", "").replace("_", "").isalnum() and len(word) <= MAX_ID
    return word if plain else f"{getrandbits(128):032x}"  # uuid4 asks the system each time: 3 % of a busy worker
