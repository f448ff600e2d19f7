"""uvicorn's HTTP, with an end to everything that a client may leave unfinished or make endless.

httptools is fast and llhttp below it strict (what smuggles requests is refused there), but neither limits anything.
Here a request's head has a size and a deadline, and so has all that a body brings beside itself: chunk sizes,
extensions, trailers. The body's own bytes and pace are the business of `app.api.request`.
"""

import asyncio
from random import getrandbits

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from app.api.errors import ApiError, HeadTooLarge, Malformed, Problem, TooSlow, refusal
from app.api.request import MEDIA_TYPE
from app.api.security import ANSWER_HEADERS

MAX_HEAD_BYTES = 32 * 1024  # request line and headers; nginx takes as much by default
MAX_FRAMING_BYTES = 384 * 1024  # that of 65,536 chunks of one byte, which cost 0.02 s
FRAMING_SHARE = 64  # and a byte in as many of the body: chunks of 1 KiB are as good as larger ones
MAX_PIPELINED = 16  # requests sent before the first of them is answered
HEAD_SECONDS = 8.0  # for a head, from the connection or from the head's first byte
REST_SECONDS = 2.0  # for what is left of a body whose answer has been given
UNREAD_SECONDS = 20.0  # for an answer to be taken

log = structlog.get_logger()


class Protocol(HttpToolsProtocol):
    """One connection. While no answer is being prepared something is due from the client, and `_overdue` ends the wait."""

    _due: asyncio.TimerHandle | None = None
    _answering: RequestResponseCycle | None = None  # uvicorn only knows the request that came last
    _in_head = False
    _received = _body = _read = 0  # bytes of this request, save for the read in which it began; of its body; of a read

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._abandon()
        super().connection_lost(exc)
        self._relax()

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._read = len(data)
        self._received += self._read
        again = b""
        try:
            self.parser.feed_data(data)
            framing = self._received - self._body
            if self._in_head:
                self._limit_head(framing)
            elif framing > MAX_FRAMING_BYTES + self._body // FRAMING_SHARE:
                raise Malformed("The body comes in more and smaller pieces than are taken.")
        except httptools.HttpParserUpgrade as offer:  # at the end of its head: llhttp would leave out the body
            again = self._head_without_offer() + data[offer.args[0] :]
        except (httptools.HttpParserError, ApiError) as error:
            ours = error if isinstance(error, ApiError) else error.__context__  # raised below `feed_data`
            self._refuse(ours if isinstance(ours, ApiError) else Malformed("The request is not sound HTTP."))
            return
        if again:
            self.parser = httptools.HttpRequestParser(self)  # the old one is closed where this request is the last
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
            self.data_received(again)
        elif self._due is None and (self.cycle is None or self.cycle.response_complete):
            self._expect(HEAD_SECONDS)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._received, self._body = True, 0, 0

    def on_headers_complete(self) -> None:
        """Refuse what llhttp lets pass: tunnels, other versions, two hosts."""
        names = [name for name, _ in self.headers]
        if self.parser.should_upgrade():
            if b"upgrade" in names:
                return  # `data_received` reads the head again, without the offer
            raise Malformed("There are no tunnels here.")
        if self._received or self._read > MAX_HEAD_BYTES:
            self._limit_head(len(self.url) + sum(len(name) + len(value) for name, value in self.headers))
        if len(self.pipeline) == MAX_PIPELINED:
            raise Malformed("More requests wait on this connection than may wait.")
        version = self.parser.get_http_version()
        if version not in {"1.0", "1.1"}:
            raise Malformed("Only HTTP/1.1 and HTTP/1.0 are spoken here.")
        if version == "1.1" and names.count(b"host") != 1:
            raise Malformed("The request does not have exactly one Host.")
        self._in_head = False
        if self._due is not None:
            self._arrived()
        super().on_headers_complete()
        if not self.pipeline:
            self._answering = self.cycle

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._in_head:
            return  # its head is read again
        super().on_message_complete()
        if self.cycle.response_complete:
            self.cycle.more_body = False
            if self._due is not None:
                self._arrived()

    def on_response_complete(self) -> None:
        if self.pipeline:
            self._answering = self.pipeline[-1][0]  # which this starts
        super().on_response_complete()
        if self.transport.is_closing():
            self._expect(UNREAD_SECONDS)
        elif self.cycle.response_complete and self.cycle.more_body:
            self._expect(REST_SECONDS)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect(UNREAD_SECONDS)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._arrived()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._expect(UNREAD_SECONDS)

    def _expect(self, seconds: float) -> None:
        self._relax()
        self._due = self.loop.call_later(seconds, self._overdue)

    def _arrived(self) -> None:
        """What was due has come, unless it is the client that has answers to take."""
        if not self.flow.write_paused and not self.transport.is_closing():
            self._relax()

    def _relax(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _overdue(self) -> None:
        if self._in_head and not self.transport.is_closing():
            self._refuse(TooSlow("The head of the request did not arrive in time."))
        else:
            self.transport.abort()

    def _head_without_offer(self) -> bytes:
        """The head just read, as if its client had not offered another protocol, which RFC 9110 7.8 lets a server ignore.

        Java's HttpClient and curl put `Upgrade: h2c` on every plain request, in case we speak HTTP/2.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        kept = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        return b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version, b"".join(kept))

    def _limit_head(self, size: int) -> None:
        if size > MAX_HEAD_BYTES:
            raise HeadTooLarge(f"The head of the request has more than {MAX_HEAD_BYTES:,} bytes.")

    def _refuse(self, error: ApiError) -> None:
        """Say why, where that cannot be taken for the answer to another request, and close."""
        if not self.transport.is_closing() and self._unanswered():
            request_id = f"{getrandbits(128):032x}"
            found = refusal(error)
            content = Problem.of(found, "/", request_id).model_dump_json().encode()
            headers = [
                *self.server_state.default_headers,
                (b"content-type", MEDIA_TYPE.encode()),
                (b"content-length", b"%d" % len(content)),
                (b"connection", b"close"),
                (b"x-request-id", request_id.encode()),
                *ANSWER_HEADERS,
            ]
            head = STATUS_LINE[found.status] + b"".join([b"%b: %b\r\n" % header for header in headers])
            self.transport.write(head + b"\r\n" + content)
            said = found.logged()
            log.info("request", id=request_id, method="OTHER", route="unknown", status=found.status, **said)
        self._abandon()
        self.transport.close()
        self._expect(UNREAD_SECONDS)

    def _abandon(self) -> None:
        """Tell the application that nobody waits for its answer, before it writes to a closed connection."""
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
            self._answering.message_event.set()

    def _unanswered(self) -> bool:
        """Whether the next answer on this connection belongs to the request that is arriving."""
        if self.cycle is None:
            return True
        if self._in_head:
            return self.cycle.response_complete
        return self.cycle.more_body and not self.cycle.response_started and not self.pipeline
