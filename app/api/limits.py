"""What one request may take of the service: bytes, time, and nobody's work once its caller has gone."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from math import isfinite
from time import monotonic
from types import TracebackType

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.errors import Busy, DeadlinePassed, Encoded, Malformed, TooLarge, TooSlow, answer
from app.model.batching import QueueFull

GRACE_SECONDS = 2.0  # before a body has to keep its pace: handshakes, slow starts, a lost packet
PACE = 4096  # bytes a second; the slowest mobile networks do more, and 64 KiB at this pace outlast the default deadline
STAGES = ("read", "decode", "queue", "infer")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may ask for."""

    max_upload_bytes: int
    max_request_bytes: int
    max_batch_files: int
    max_pixels: int
    max_frames: int
    timeout_seconds: float


class Turnstile:
    """ASGI middleware: refuses what `routes` would, before anything else looks at it, so that a refusal stays cheap."""

    def __init__(self, app: ASGIApp, routes: Collection[str]) -> None:
        self.app, self.routes = app, {route for route in routes if "{" not in route}
        self.templates = {route: compile_path(route)[0] for route in routes if "{" in route}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (route := self._route(scope["path"])):
            try:
                scope["app"].state.service.batcher.admit()
            except QueueFull as full:
                scope["refused_route"] = route
                refusal = await answer(Request(scope, receive), full)
                await refusal(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _route(self, path: str) -> str | None:
        """The guarded route that `path` belongs to, if any."""
        if path in self.routes:
            return path
        return next((route for route, template in self.templates.items() if template.match(path)), None)


@dataclass(slots=True)
class Timing:
    """Seconds one request spent in each stage."""

    read: float = 0.0
    decode: float = 0.0
    queue: float = 0.0
    infer: float = 0.0

    def header(self) -> str:
        return ", ".join(f"{stage};dur={getattr(self, stage) * 1e3:.2f}" for stage in STAGES[1:])


@dataclass(slots=True)
class Budget:
    """Bytes that the bodies of all requests may hold together."""

    limit: int
    held: int = 0

    def admit(self, count: int) -> None:
        """Raises Busy where there is no room; takes none, or a few who declare much and send little would fill it."""
        if self.held + count > self.limit:
            raise Busy("The service holds as many bytes as it may; try again shortly.")

    def take(self, count: int) -> None:
        self.admit(count)
        self.held += count


class Visit:
    """One request from its admission to its answer, as an async context manager.

    Past the deadline it ends as TooSlow or DeadlinePassed, and as ClientDisconnect when the caller hangs up.
    """

    def __init__(self, request: Request, limits: Limits, budget: Budget) -> None:
        self.request, self.limits = request, limits
        self.timing = Timing()
        self._budget, self._held = budget, 0
        self._started = asyncio.get_running_loop().time()
        self.due = self._started + _patience(request, limits)  # by the monotonic clock
        self._timeout = asyncio.timeout_at(self._pace(0))
        self._watcher: asyncio.Task[None] | None = None
        self._complete = self._gone = False

    async def __aenter__(self) -> "Visit":
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._budget.held -= self._held
        if self._watcher is not None:
            self._watcher.cancel()
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError as late:
            raise self._reason() from late

    def is_over(self) -> bool:
        """Whether nobody waits for the answer any more; any thread may ask."""
        return self._gone or monotonic() > self.due

    async def body(self, max_bytes: int) -> bytes:
        """The whole body: refused unread when it declares too much, cut off when it sends too much or too slowly.

        Raises TooLarge, Busy, Encoded or Malformed.
        """
        if self.request.headers.get("content-encoding", "identity") != "identity":
            raise Encoded("The body is encoded; send the picture's own bytes.")
        declared, body, more = _declared(self.request), bytearray(), True
        self._limit(declared, max_bytes)
        self._budget.admit(declared)
        while more:
            message = await self.request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message["body"]
            more = message["more_body"]
            self._limit(len(body), max_bytes)
            self._hold(len(message["body"]))
            self._timeout.reschedule(self._pace(len(body)) if more else self.due)
        self._complete = True
        self.timing.read = asyncio.get_running_loop().time() - self._started
        return bytes(body)

    def _limit(self, size: int, max_bytes: int) -> None:
        if size > max_bytes:
            raise TooLarge(f"The body has more than {max_bytes:,} bytes.")

    def _hold(self, count: int) -> None:
        self._budget.take(count)
        self._held += count

    def _pace(self, received: int) -> float:
        """When the next part of the body is due, given how much has come."""
        return min(self.due, self._started + GRACE_SECONDS + received / PACE)

    def watch(self) -> None:
        """From here on the visit ends when the caller hangs up; for what takes longer than looking for that does."""
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        """Nothing else arrives after the body."""
        await self.request.receive()
        self._gone = True
        self._timeout.reschedule(0)

    def _reason(self) -> Exception:
        if self._gone:
            return ClientDisconnect()
        if not self._complete:
            return TooSlow("The body did not arrive in time.")
        return DeadlinePassed()


def _patience(request: Request, limits: Limits) -> float:
    """Seconds until the answer is due: ours, or the caller's own where those are fewer."""
    given = request.headers.get("x-request-timeout")
    if given is None:
        return limits.timeout_seconds
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0
    if not isfinite(seconds) or seconds <= 0:
        raise Malformed("The X-Request-Timeout is not a number of seconds.")
    return min(seconds, limits.timeout_seconds)


def _declared(request: Request) -> int:
    length = request.headers.get("content-length", "0")
    if not length.isascii() or not length.isdecimal():
        raise Malformed("The Content-Length is not a number.")
    return int(length)
