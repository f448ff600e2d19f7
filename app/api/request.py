"""One request, from its head to its answer: what it may take of the service, and what it took."""

import asyncio
from contextvars import ContextVar
from dataclasses import astuple, dataclass
from math import isfinite
from random import getrandbits
from time import monotonic
from typing import Any, Self

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from app.api import errors
from app.api.errors import InferError, Problem, Refusal
from app.imaging import PictureError
from app.limits import Capacity, Limits

MEDIA_TYPE = "application/problem+json"
GRACE_SECONDS = 2.0  # before a body has to keep its pace: handshakes, slow starts, a lost packet
MIN_BYTES_PER_SECOND = 4096  # the slowest mobile networks do more, and 64 KiB at this pace outlast the default deadline
READ_PAST_BYTES = 64 * 1024  # of a refused body are read past, so that the connection can be kept
MAX_ID_LENGTH = 128
MAX_INSTANCE_LENGTH = 1024  # of a path that is no route's, when it is repeated


@dataclass(slots=True)
class Timing:
    """Seconds spent in each stage."""

    read: float = 0.0
    decode: float = 0.0
    queue: float = 0.0
    infer: float = 0.0

    def cover(self, other: "Timing") -> None:
        """Whatever was longer, for what goes on at the same time."""
        self.read, self.decode, self.queue, self.infer = map(max, astuple(self), astuple(other))

    def header(self) -> bytes:
        stages = self.decode * 1e3, self.queue * 1e3, self.infer * 1e3
        return b"decode;dur=%.2f, queue;dur=%.2f, infer;dur=%.2f" % stages


Upload = tuple[bytes, str]  # a file; and a form's field, where it came in one without a file's name, as text does


class RequestContext(Request):
    """A request with its id, its timing and what became of it.

    As an async context manager it is one that is judged: it gives back what it holds once the answer is there, past its
    deadline it ends as TooSlow or DeadlinePassed, and as ClientDisconnect when the caller hangs up.
    """

    def __init__(self, scope: Scope, receive: Receive, limits: Limits, capacity: Capacity) -> None:
        super().__init__(scope, receive)
        given = self.headers.get("x-request-id")
        self.id = given if given and _is_plain(given) else f"{getrandbits(128):032x}"  # uuid4 asks the system each time
        self.timing, self.started = Timing(), monotonic()
        self.model_version: str | None = None  # of the bundle that judges it
        self.turned_away: str | None = None  # the route, where it never came to it
        self.refusal: Refusal | None = None
        self.uploads: list[Upload] = []  # held until there is an answer, for a hint
        self.limits, self._capacity = limits, capacity
        self._bytes = self._places = 0  # held
        self._watcher: asyncio.Task[None] | None = None
        self._complete = self._gone = False

    async def __aenter__(self) -> Self:
        given = self.headers.get("x-request-timeout")
        ours = self.limits.request_timeout_seconds
        self._due = self.started + (ours if given is None else min(ours, _seconds(given)))
        self._timeout = asyncio.timeout_at(min(self._due, self.started + GRACE_SECONDS))
        await self._timeout.__aenter__()
        return self

    async def __aexit__(self, *raised: Any) -> None:
        self.uploads = []
        self._capacity.bytes -= self._bytes
        self._capacity.requests -= self._places
        if self._watcher is not None:
            self._watcher.cancel()
        try:
            await self._timeout.__aexit__(*raised)
        except TimeoutError as late:
            if self._gone:
                raise ClientDisconnect from late
            raise (errors.DeadlinePassed if self._complete else errors.TooSlow) from late

    def _is_encoded(self) -> bool:
        codings = ",".join(self.headers.getlist("content-encoding")).lower().split(",")
        return bool({*map(str.strip, codings)} - {"", "identity"})

    async def receive_body(self, max_bytes: int, overhead: int = 0) -> bytes:
        """The whole body, and a place with it: refused unread when it declares too much, cut off when it sends too much
        or too slowly; a form has `overhead` bytes beside its picture. Raises TooLarge, Busy, Encoded or Malformed."""
        if "content-encoding" in self.headers and self._is_encoded():
            raise errors.Encoded("The body is encoded; send the picture's own bytes.")
        declared = self.headers.get("content-length", "0")
        if not declared.isascii() or not declared.isdecimal():
            raise errors.Malformed("The Content-Length is not a number.")
        self._check(int(declared), int(declared), max_bytes, overhead)
        body, more = bytearray(), True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            part, more = message["body"], message["more_body"]
            body += part
            self._check(len(body), len(part), max_bytes, overhead)
            self._capacity.bytes += len(part)
            self._bytes += len(part)
            pace = self.started + GRACE_SECONDS + len(body) / MIN_BYTES_PER_SECOND
            self._timeout.reschedule(min(self._due, pace) if more else self._due)
        self._complete = True
        self.timing.read = monotonic() - self.started
        if self._capacity.requests >= self._capacity.max_requests:
            raise errors.Busy
        self._capacity.requests += 1
        self._places = 1
        return bytes(body)

    @property
    def route(self) -> str | None:
        """The template of its path, so that no stranger's text is repeated; None where there is no such route."""
        return self.turned_away or getattr(self.scope.get("route"), "path", None)

    def is_over(self) -> bool:
        """Whether nobody waits for the answer any more; any thread may ask."""
        return self._gone or monotonic() > self._due

    def watch(self) -> None:
        """End when the caller hangs up, from here on; for what takes longer than looking for that does."""
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch())

    def refuse(self, error: Exception) -> Response:
        """The answer that says why there is none."""
        self.refusal = found = errors.refusal(error)
        headers = dict(found.headers)
        if found.unread and not self._is_short():
            headers |= errors.CLOSE  # the body is not wanted, and too long to read past
        v2 = in_protocol_v2(self.scope["path"])
        content = InferError(error=found.sentence) if v2 else self.problem(found)
        return Response(content.model_dump_json(), found.status, headers, "application/json" if v2 else MEDIA_TYPE)

    def problem(self, refusal: Refusal) -> Problem:
        asked = self.scope["raw_path"].decode("latin-1")  # repeated to whoever sent it, and nowhere else
        return Problem.of(refusal, self.route or asked[:MAX_INSTANCE_LENGTH], self.id)

    def _check(self, size: int, more: int, max_bytes: int, overhead: int) -> None:
        if size > max_bytes + overhead:
            raise errors.TooLarge(f"The body has more than {max_bytes:,} bytes.")
        if self._capacity.bytes + more > self._capacity.max_bytes:
            raise errors.Busy("The service holds as many bytes as it may; try again shortly.")

    async def _watch(self) -> None:
        """Wait for the caller to hang up: nothing else arrives after the body."""
        await self.receive()
        self._gone = True
        self._timeout.reschedule(0)

    def _is_short(self) -> bool:
        length = self.headers.get("content-length", "")
        return length.isdecimal() and int(length) <= READ_PAST_BYTES


CURRENT: ContextVar[RequestContext] = ContextVar("request")  # of this task, from the middleware down to the routes


def install(app: FastAPI) -> None:
    """Answer every error with its refusal."""
    for kind in (errors.ApiError, PictureError, HTTPException, ClientDisconnect, Exception):
        app.add_exception_handler(kind, _refuse)


async def _refuse(request: Request, error: Exception) -> Response:
    return CURRENT.get().refuse(error)


def in_protocol_v2(path: str) -> bool:
    """Whether errors have the shape of the Open Inference Protocol there."""
    return f"{path}/".startswith("/v2/")


def _seconds(given: str) -> float:
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0
    if not isfinite(seconds) or seconds <= 0:
        raise errors.Malformed("The X-Request-Timeout is not a number of seconds.")
    return seconds


def _is_plain(word: str) -> bool:
    return word.isascii() and word.replace("-", "").replace("_", "").isalnum() and len(word) <= MAX_ID_LENGTH
