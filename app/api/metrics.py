"""What every request leaves behind: an id, one log line, its counts and durations."""

import os
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import lru_cache, partial
from math import nan
from time import monotonic
from typing import Literal

import structlog
from fastapi import Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api import security
from app.api.openapi import Router
from app.api.request import CURRENT, RequestContext, Timing
from app.limits import Capacity, Limits
from app.model.manifest import Manifest
from app.model.prediction import Prediction
from app.model.reference import reference

PREFIX = "bodyregion_"
CONFIDENCE_BUCKETS = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1)
METHODS = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}  # named; so that the series stay few
SECONDS_BUCKETS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 1, 5)
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
        durations = self._histogram("http_request_duration_seconds", "Whole request.", SECONDS_BUCKETS, "route")
        self.duration = lru_cache(durations.labels)
        stage = self._histogram("stage_duration_seconds", "Parts of a prediction.", SECONDS_BUCKETS, "stage")
        self.stages = {field.name: stage.labels(field.name) for field in fields(Timing)}
        self.rejections = self._counter("rejections", "Requests refused or given up.", "reason")
        self.predictions = self._counter("predictions", "Pictures by their label; none: not accepted.", "label")
        self.acceptance = self._counter("acceptance", "Pictures by whether they were accepted.", "accepted")
        self.confidence = self._histogram("confidence", "Highest probability of a picture.", CONFIDENCE_BUCKETS)
        self.queue_depth = self._gauge("queue_depth", "Requests between body and answer.")
        self.model_info = self._gauge("model_info", "Workers that serve this bundle.", "name", "version")
        self.reloads = self._counter("model_reloads", "Changes of bundle while serving.", "result")
        for result in ("done", "refused"):  # from zero on, or a first one would be no increase
            self.reloads(result)
        expected = partial(self._gauge, mode="livemostrecent")  # of workers that change over one after another
        self.expected_shares = expected("reference_class_share", "Of the bundle's own test split.", "label")
        self.expected_acceptance = expected("reference_acceptance", "Share of the bundle's own test split.")
        self.expected_confidence = expected("reference_confidence", "Mean over the bundle's own test split.")

    def exposition(self) -> bytes:
        """All series as text, without those that are not a number: they are not known."""
        everyone = self._registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            everyone = CollectorRegistry()
            MultiProcessCollector(everyone)  # type: ignore[no-untyped-call]
        lines = generate_latest(everyone).splitlines(keepends=True)
        return b"".join(line for line in lines if not line.endswith(b" NaN\n"))

    def observe_stages(self, timing: Timing) -> None:
        for name, stage in self.stages.items():
            stage.observe(getattr(timing, name))

    def count(self, prediction: Prediction) -> None:
        self.predictions(prediction.label or "none").inc()
        self.acceptance(str(prediction.accepted).lower()).inc()
        self.confidence.observe(prediction.confidence)

    def set_model(self, old: Manifest | None, new: Manifest) -> None:
        """Show which bundle answers and what its test split gave; not a number where that is not known."""
        found, shares = reference(new), dict[str, float]()
        if old:
            self.model_info.labels(old.name, old.version).set(0)
            shares = dict.fromkeys(old.classes, 0.0)
        self.model_info.labels(new.name, new.version).set(1)
        for label, share in (shares | (found.class_share if found else {})).items():
            self.expected_shares.labels(label).set(share)
        self.expected_acceptance.set(nan if found is None or found.accepted is None else found.accepted)
        self.expected_confidence.set(nan if found is None or found.confidence is None else found.confidence)

    def _counter(self, name: str, text: str, *labels: str) -> Callable[..., Counter]:
        """The series of given labels, which Prometheus' client takes longer to find than to count in."""
        return lru_cache(Counter(PREFIX + name, text, labels, registry=self._registry).labels)

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(PREFIX + name, text, labels, buckets=buckets, registry=self._registry)

    def _gauge(self, name: str, text: str, *labels: str, mode: Mode = "livesum") -> Gauge:
        return Gauge(PREFIX + name, text, labels, registry=self._registry, multiprocess_mode=mode)


class RequestLog:
    """ASGI middleware: gives each request its context, and counts, times and logs it. Never a file name, never a pixel."""

    def __init__(self, app: ASGIApp, metrics: Metrics, limits: Limits, capacity: Capacity) -> None:
        self.app, self.metrics, self.limits, self.capacity = app, metrics, limits, capacity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path = scope["path"]
        if path.endswith("/") and not (
            security.is_page(path) or security.is_page(path[:-1])
        ):  # whose links are relative
            scope["path"] = path[:-1]  # for all that follows, so that keys, limits and figures are the route's
        context, status = RequestContext(scope, receive, self.limits, self.capacity), 0
        CURRENT.set(context)

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                version = context.model_version or scope["app"].state.service.bundle.manifest.version
                ours = (b"x-request-id", context.id.encode()), (b"x-model-version", version.encode())
                message["headers"] = [*message["headers"], *ours, *security.headers(scope["path"])]
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except Exception as error:
            if not status:  # here, because Starlette would answer outside of us, without our headers
                await context.refuse(error)(scope, receive, send_with_headers)
            raise
        finally:
            self._record(context, status or 500)

    def _record(self, context: RequestContext, status: int) -> None:
        seconds = monotonic() - context.started
        route = context.route or "unknown"
        method = context.method if context.method in METHODS else "OTHER"
        self.metrics.requests(method, route, status).inc()
        self.metrics.duration(route).observe(seconds)
        self.metrics.queue_depth.set(self.capacity.requests)
        refused = context.refusal
        if refused and refused.reason and not security.is_open(context.scope["path"]):  # a probe is told, not refused
            self.metrics.rejections(refused.reason).inc()
        say = log.debug if context.turned_away else log.info  # a line for each would make refusing dear
        why = refused.logged() if refused else {}
        say("request", id=context.id, method=method, route=route, status=status, ms=round(seconds * 1e3, 2), **why)


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    response_description="All series, as text.",
    responses={200: {"content": EXPOSITION}},
)
async def metrics(request: Request) -> Response:
    return Response(request.app.state.service.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
