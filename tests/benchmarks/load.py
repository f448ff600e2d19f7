"""Load over real sockets: a closed loop, where each connection asks again once answered, or an open one at a fixed rate."""

import asyncio
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import uvloop

Body = Callable[[int], bytes]
WAITING = 1000  # connections an open loop starts with: opening them is not what is measured
BOUNDARY = b"----bench"
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)")


@dataclass(slots=True)
class Reply:
    """What came back, and how many seconds after it was due."""

    status: int
    seconds: float
    due: float  # seconds after the start
    head: bytes
    content: bytes

    @property
    def headers(self) -> dict[bytes, bytes]:
        lines = (line.split(b": ", 1) for line in self.head.split(b"\r\n")[1:])
        return {name.lower(): value for name, value in lines}


class Connection(asyncio.Protocol):
    """One request at a time; tells its load when the answer, or the end, has come.

    Callbacks, for tasks cost too much, and no parser: what this takes of the processors the server lacks.
    """

    transport: asyncio.Transport

    def __init__(self, load: "_Load") -> None:
        self.load = load
        self.number: int | None = None  # of the request that is out

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def ask(self, number: int, due: float) -> None:
        self.number, self.due, self.received = number, due, b""
        self.transport.write(self.load.body(number))

    def data_received(self, data: bytes) -> None:
        self.received += data
        end = self.received.find(b"\r\n\r\n")
        if end < 0 or len(self.received) < end + 4 + int(LENGTH.findall(self.received, 0, end)[0]):
            return
        head = self.received[:end]
        self._report(int(head[9:12]), head, self.received[end + 4 :])
        if b"\r\nconnection: close" in head:
            self.transport.close()
        else:
            self.load.free(self)

    def connection_lost(self, error: Exception | None) -> None:
        if self.number is not None:
            self._report(0, b"", b"")

    def _report(self, status: int, head: bytes, content: bytes) -> None:
        number, self.number = self.number, None
        seconds = perf_counter() - self.load.start - self.due
        self.load.replies[number] = Reply(status, seconds, self.due, head, content)  # type: ignore[index]


def form(content: bytes, field: str = "file", times: int = 1) -> bytes:
    """A POST of a form that holds `content`, as bytes ready to be sent."""
    part = b'--%b\r\nContent-Disposition: form-data; name="%b"; filename="x"\r\n\r\n%b\r\n'
    body = part % (BOUNDARY, field.encode(), content) * times + b"--%b--\r\n" % BOUNDARY
    route = b"/predict" if field == "file" else b"/predict/batch"
    head = b"POST %b HTTP/1.1\r\nHost: bench\r\nContent-Type: multipart/form-data; boundary=%b\r\nContent-Length: %d\r\n\r\n"
    return head % (route, BOUNDARY, len(body)) + body


def closed(port: int, body: Body, count: int, connections: int) -> list[Reply]:
    """`count` requests over so many connections; replies in the order of the requests."""
    return uvloop.run(_Load(port, body).closed(count, connections))


def opened(port: int, body: Body, rate: float, seconds: float) -> list[Reply]:
    """`rate` requests a second whatever becomes of them; seconds count from when each was due."""
    return uvloop.run(_Load(port, body).opened(rate, seconds))


class _Load:
    def __init__(self, port: int, body: Body) -> None:
        self.port, self.body = port, body
        self.replies: dict[int, Reply] = {}
        self.idle: deque[Connection] = deque()
        self.numbers: Iterator[int] = iter(())
        self.start = 0.0

    async def closed(self, count: int, connections: int) -> list[Reply]:
        opened = [await self._connect() for _ in range(connections)]
        self.numbers, self.start = iter(range(count)), perf_counter()
        for connection in opened:
            self.free(connection)
        return await self._all(count)

    async def opened(self, rate: float, seconds: float) -> list[Reply]:
        count, sent = int(rate * seconds), 0
        self.idle.extend([await self._connect() for _ in range(WAITING)])
        self.start = perf_counter()
        while sent < count:
            while sent < count and sent / rate <= perf_counter() - self.start:
                while self.idle and self.idle[0].transport.is_closing():
                    self.idle.popleft()
                connection = self.idle.popleft() if self.idle else await self._connect()
                connection.ask(sent, sent / rate)
                sent += 1
            await asyncio.sleep(0.001)
        return await self._all(count)

    def free(self, connection: Connection) -> None:
        """What a connection does after an answer: in a closed loop the next request, in an open one it waits."""
        number = next(self.numbers, None)
        if number is None:
            self.idle.append(connection)
        else:
            connection.ask(number, perf_counter() - self.start)

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.port))[1]

    async def _all(self, count: int) -> list[Reply]:
        while len(self.replies) < count:
            await asyncio.sleep(0.001)
        return [self.replies[number] for number in range(count)]


def percentile(replies: list[Reply], share: float) -> float:
    """Milliseconds."""
    return float(np.percentile([reply.seconds for reply in replies], share) * 1e3) if replies else float("nan")
