"""Clients that send slowly or not at all, flood, or never read, beside normal ones."""

import asyncio
import socket
import time
from collections import Counter

import httpx2
import pytest

from tests.hostile.wire import (
    CHUNKED,
    GENEROUS_SECONDS,
    GET,
    MOST,
    POST,
    UNREASONABLE_SECONDS,
    connect,
    descriptors,
    statuses,
)
from tests.running import Server, wait_until

pytestmark = pytest.mark.slow


async def drip(server: Server, first: bytes, drop: bytes = b"") -> bytes:
    """Send `first`, then a drop four times a second; everything that comes back until the server closes."""
    reader, writer = await asyncio.open_connection(sock=connect(server))
    writer.write(first)
    received, reading = b"", asyncio.create_task(reader.read(65536))
    try:
        while True:
            await asyncio.wait([reading], timeout=0.25)
            writer.write(drop)
            if reading.done():
                if not (piece := reading.result()):
                    return received
                received += piece
                reading = asyncio.create_task(reader.read(65536))
    except ConnectionError:
        return received
    finally:
        writer.transport.abort()


async def flood(server: Server, first: bytes) -> bytes:
    """The same as fast as it is taken."""
    reader, writer = await asyncio.open_connection(sock=connect(server))
    writer.write(first)
    received = await reader.readuntil(b'"}')
    try:
        while True:
            writer.write(bytes(100_000))
            await writer.drain()
            await asyncio.sleep(0.01)
    except ConnectionError:
        return received


WHOLE = POST + b"content-length: %d\r\n\r\n" % MOST
HEALTH = b"POST /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 10000000000\r\n\r\n"
SLOW = {  # how many of them, what each sends at once, what drop by drop, and what it is told before it is put out
    "silent": (50, b"", b"", []),
    "empty lines": (10, b"", b"\r\n", []),
    "slow head": (50, b"GET /", b"x", [408]),
    "slow headers": (10, GET[:-2], b"a: b\r\n", [408]),
    "half a second head": (10, GET + b"GET /", b"", [200]),
    "an empty line after an answer": (10, GET + b"\r\n", b"", [200]),
    "slow body": (50, POST + b"content-length: 1000\r\n\r\n", b"x", [408]),
    "slow body that declares much": (50, WHOLE, b"x" * 100, [408]),
    "slow body that begins fast": (3, WHOLE + bytes(600_000), b"x" * 100, [408]),
    "no body": (10, WHOLE, b"", [408]),
    "slow chunks": (10, CHUNKED, b"1\r\nx\r\n", [408]),
    "slow body nobody waits for": (10, HEALTH, b"x", [405]),
}
PACED = ("slow body", "slow body that declares much", "no body", "slow chunks")  # put out long before the deadline
Ends = Counter[tuple[int, ...]]


async def crowd(server: Server, hand: bytes) -> tuple[dict[str, Ends], list[tuple[int, float]]]:
    """How every sort of slow client ended, and the status and seconds of each answer to a normal one meanwhile."""
    floods = asyncio.gather(*[flood(server, HEALTH) for _ in range(2)])
    sorts = {
        sort: asyncio.gather(*[drip(server, first, drop) for _ in range(count)])
        for sort, (count, first, drop, _) in SLOW.items()
    }
    answers: list[tuple[int, float]] = []
    async with httpx2.AsyncClient(base_url=server.address, timeout=UNREASONABLE_SECONDS) as client:
        while not all(task.done() for task in (floods, *sorts.values())):
            for asked in (client.post("/predict", files={"file": hand}), client.get("/health")):
                started = time.monotonic()
                answers.append(((await asked).status_code, time.monotonic() - started))
            await asyncio.sleep(0.05)
    assert [statuses(received) for received in floods.result()] == [[405], [405]]
    return {
        sort: Ends(tuple(statuses(received)) for received in task.result()) for sort, task in sorts.items()
    }, answers


def put_out_by_pace(server: Server) -> int:
    """How many bodies were given up well before the deadline of ten seconds."""
    lines = [line for line in server.logs() if (line.get("route"), line.get("status")) == ("/predict", 408)]
    return sum(line["ms"] < 8000 for line in lines)


def unread(server: Server) -> socket.socket:
    """A client that asks for far more than it ever takes."""
    connection = connect(server)
    connection.setblocking(False)
    for _ in range(400):
        time.sleep(0.005)
        try:
            connection.send(GET.replace(b"livez", b"openapi.json"))
        except OSError:
            break
    return connection


def test_slow_clients_delay_nobody_and_are_all_put_out(target: Server, hand: bytes) -> None:
    before = descriptors(target)
    with unread(target), unread(target):
        ended, answers = asyncio.run(asyncio.wait_for(crowd(target, hand), UNREASONABLE_SECONDS))
        for sort, ends in ended.items():  # a drop that crosses the last answer may undo it
            told = tuple(SLOW[sort][-1])
            assert set(ends) <= {told, ()}, sort
            assert told in ends, sort
        assert put_out_by_pace(target) >= sum(SLOW[sort][0] for sort in PACED)
        assert len(answers) > 40
        assert {status for status, _ in answers} == {200}
        assert max(seconds for _, seconds in answers) < GENEROUS_SECONDS
        wait_until(lambda: descriptors(target) <= before)
