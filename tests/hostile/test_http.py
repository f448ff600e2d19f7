"""Broken, endless, lying and vanishing requests, as raw bytes on a real server's port."""

import asyncio
import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.running import Server, serving, wait_until

MOST = 1_000_000  # bytes of a picture, on the server here
BUDGET = 8_000_000  # bytes of bodies on their way, twice the largest request
GET = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\n"
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"
FORM = b"multipart/form-data; boundary=x"
MARKER = b"M4RKER"  # in file names, headers and paths; must be in no log
GENEROUS_SECONDS = 4.0
UNREASONABLE_SECONDS = 30.0


@pytest.fixture(scope="module")
def target(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with small limits, which after everything here has failed at nothing and repeated nothing."""
    limits = {"BODYREGION_MAX_UPLOAD_BYTES": str(MOST), "BODYREGION_MAX_REQUEST_BYTES": str(BUDGET // 2)}
    with serving(artifacts / "current", tmp_path_factory.mktemp("hostile") / "log", **limits) as started:
        yield started
        said = started.output.read_text()
        assert not [line for line in started.logs() if line.get("status", 0) >= 500 or line["level"] == "error"]
        assert "Traceback" not in said
        assert MARKER.decode() not in said


@pytest.fixture
def normal(target: Server) -> Iterator[httpx2.Client]:
    with target.client() as opened:
        yield opened


def connect(server: Server) -> socket.socket:
    address = urlsplit(server.address)
    return socket.create_connection((address.hostname, address.port), timeout=UNREASONABLE_SECONDS)


def exchange(server: Server, *pieces: bytes) -> bytes:
    """Send pieces as long as they are taken; everything that comes back until the server closes."""
    with connect(server) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return drain(connection)


def drain(connection: socket.socket) -> bytes:
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def last(request: bytes) -> bytes:
    """The request, asking that the connection be closed after it."""
    return request.replace(b"\r\n", b"\r\nconnection: close\r\n", 1)


def statuses(received: bytes) -> list[int]:
    """Of each answer in turn; none of ours holds the word HTTP/1.1 and a space elsewhere."""
    return [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:] if part[:3].isdigit()]


def assert_refused(received: bytes, status: int) -> None:
    """One answer, a problem of that status."""
    assert statuses(received) == [status]
    head, content = received.split(b"\r\n\r\n", 1)
    problem = json.loads(content)
    assert b"content-type: application/problem+json" in head.lower()
    assert set(problem) == {"type", "title", "status", "detail", "instance", "request_id"}
    assert problem["status"] == status
    assert f"x-request-id: {problem['request_id']}".encode() in head
    assert MARKER not in problem["detail"].encode() + head


def descriptors(server: Server) -> int:
    return sum(1 for _ in Path(f"/proc/{server.process.pid}/fd").iterdir())


MALFORMED = {
    "a length and chunks": POST + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": POST + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    "the same length twice": POST + b"content-length: 5\r\ncontent-length: 5\r\n\r\nhello",
    "a list of lengths": POST + b"content-length: 5, 5\r\n\r\nhello",
    "a negative length": POST + b"content-length: -1\r\n\r\n",
    "a length with a sign": POST + b"content-length: +5\r\n\r\nhello",
    "a hexadecimal length": POST + b"content-length: 0x5\r\n\r\nhello",
    "a length past 64 bits": POST + b"content-length: 99999999999999999999999\r\n\r\n",
    "an empty length": POST + b"content-length:\r\n\r\n",
    "chunked misspelt": POST + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked quoted": POST + b'transfer-encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "chunked after a vertical tab": POST + b"transfer-encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "chunked not last": POST + b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and a cow": POST + b"transfer-encoding: chunked\r\ntransfer-encoding: cow\r\n\r\n0\r\n\r\n",
    "no coding": POST + b"transfer-encoding: identity\r\n\r\n0\r\n\r\n",
    "a space before the colon": POST + b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
    "a folded header": POST + b"transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a folded first header": b"GET /livez HTTP/1.1\r\n x: y\r\nhost: x\r\n\r\n",
    "bare line feeds": b"GET /livez HTTP/1.1\nhost: x\n\n",
    "one bare line feed": b"GET /livez HTTP/1.1\r\nhost: x\nx-b: c\r\n\r\n",
    "a bare carriage return": b"GET /livez HTTP/1.1\r\nhost: x\rx-b: c\r\n\r\n",
    "NUL in a header": b"GET /livez HTTP/1.1\r\nhost: x\r\nx-a: M4RKER\0\r\n\r\n",
    "NUL in a name": b"GET /livez HTTP/1.1\r\nhost: x\r\nx\0a: M4RKER\r\n\r\n",
    "NUL in the path": b"GET /M4RKER\0 HTTP/1.1\r\nhost: x\r\n\r\n",
    "no colon": b"GET /livez HTTP/1.1\r\nhost: x\r\nM4RKER\r\n\r\n",
    "no name": b"GET /livez HTTP/1.1\r\nhost: x\r\n: M4RKER\r\n\r\n",
    "no host": b"GET /livez HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /livez HTTP/1.1\r\nhost: a\r\nhost: M4RKER\r\n\r\n",
    "a negative chunk": CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
    "a chunk past 64 bits": CHUNKED + b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "a chunk longer than it says": CHUNKED + b"4\r\nhello\r\n0\r\n\r\n",
    "a chunk ended by a line feed": CHUNKED + b"5\nhello\n0\n\n",
    "a line feed in a chunk's extension": CHUNKED + b"5;a=\nb\r\nhello\r\n0\r\n\r\n",
    "a length in the trailers": CHUNKED + b"5\r\nhello\r\n0\r\ncontent-length: 7\r\n\r\n",
    "an upgrade whose body would be skipped": last(POST)
    + b"connection: upgrade\r\nupgrade: h2c\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/0.9 by name": b"GET /livez HTTP/0.9\r\n\r\n",
    "HTTP/2.0 by name": b"GET /livez HTTP/2.0\r\nhost: x\r\n\r\n",
    "a later HTTP": b"GET /livez HTTP/1.2\r\nhost: x\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(189),
    "a tunnel": b"CONNECT M4RKER:443 HTTP/1.1\r\nhost: x\r\n\r\n",
    "a method nobody has": b"M4RKER /livez HTTP/1.1\r\nhost: x\r\n\r\n",
    "a method in small letters": b"get /livez HTTP/1.1\r\nhost: x\r\n\r\n",
    "a path in UTF-8": "GET /lïvez HTTP/1.1\r\nhost: x\r\n\r\n".encode(),
    "a path without a slash": b"GET livez HTTP/1.1\r\nhost: x\r\n\r\n",
    "an impossible port": b"GET http://x:99999999/livez HTTP/1.1\r\nhost: x\r\n\r\n",
    "noise": bytes(range(256)),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_what_is_not_sound_http_is_a_400_and_nothing_behind_it_is_answered(target: Server, case: str) -> None:
    assert_refused(exchange(target, MALFORMED[case] + GET), 400)


ODD = {
    "an escaped path": (b"GET /%ff%00%0d%0a/../../etc/M4RKER HTTP/1.1\r\nhost: x\r\n\r\n", 404),
    "half an escape": (b"GET /M4RKER%z HTTP/1.1\r\nhost: x\r\n\r\n", 404),
    "an escape in the query": (POST.replace(b"predict", b"predict?frames=%ff%00M4RKER") + b"\r\n", 422),
    "a very long path": (b"GET /" + b"M4RKER" * 4000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", 404),
    "no path": (b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n", 404),
    "a foreign method": (b"PROPFIND /predict HTTP/1.1\r\nhost: x\r\n\r\n", 405),
    "a trace": (b"TRACE /predict HTTP/1.1\r\nhost: x\r\n\r\n", 405),
    "an unnumbered patience": (POST + b"x-request-timeout: M4RKER\r\ncontent-length: 1\r\n\r\nx", 400),
    "an encoded body": (POST + b"content-encoding: M4RKER\r\ncontent-length: 1\r\n\r\nx", 415),
    "ten gigabytes": (POST + b"content-length: 10000000000\r\n\r\n", 413),
    "a length of 64 bits": (POST + b"content-length: 18446744073709551615\r\n\r\n", 413),
}


@pytest.mark.parametrize("case", ODD)
def test_a_sound_request_for_something_odd_is_refused_like_any_other(target: Server, case: str) -> None:
    request, status = ODD[case]
    assert_refused(exchange(target, last(request)), status)


BIG_HEADS = {
    "a header": GET[:-2] + b"x-a: " + MARKER * 6000 + b"\r\n\r\n",
    "an endless header": GET[:-2] + b"x-a: " + MARKER * 170_000,
    "a name": GET[:-2] + MARKER * 6000 + b": a\r\n\r\n",
    "many headers": GET[:-2] + b"x-a: b\r\n" * 20_000 + b"\r\n",
    "a path": b"GET /" + MARKER * 6000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    "one with a body": POST + b"x-a: " + MARKER * 6000 + b"\r\ncontent-length: 5\r\n\r\nhello",
}


@pytest.mark.parametrize("case", BIG_HEADS)
def test_a_head_of_more_than_32_kib_is_a_431(target: Server, case: str) -> None:
    head = BIG_HEADS[case]
    assert_refused(exchange(target, head), 431)
    assert_refused(exchange(target, *[head[at : at + 5000] for at in range(0, len(head), 5000)]), 431)


def test_a_head_of_less_than_32_kib_is_taken_whatever_follows_it(target: Server) -> None:
    head = POST + b"x-a: " + MARKER * 5000 + b"\r\ncontent-length: 900000\r\n\r\n"
    assert statuses(exchange(target, head + bytes(900_000), last(GET))) == [415, 200]


def part(name: bytes = b"file", content: bytes = b"", headers: bytes = b"") -> bytes:
    return b'--x\r\ncontent-disposition: form-data; name="' + name + b'"\r\n' + headers + b"\r\n" + content + b"\r\n"


FORMS = {
    "no boundary": (b"multipart/form-data", part() + b"--x--\r\n", 400),
    "an empty boundary": (b"multipart/form-data; boundary=", part() + b"--x--\r\n", 400),
    "another boundary": (b"multipart/form-data; boundary=M4RKER", part() + b"--x--\r\n", 400),
    "a boundary of 20 kB": (FORM + b"x" * 20_000, part() + b"--x--\r\n", 400),
    "a boundary of bytes": (b'multipart/form-data; boundary="\xff\xfe"', part() + b"--x--\r\n", 400),
    "no end": (FORM, part(), 400),
    "no line end in a header": (FORM, b"--x\r\ncontent-disposition: M4RKER", 400),
    "thousands of parts": (FORM, part(content=b"M4RKER") * 8000 + b"--x--\r\n", 413),
    "thousands of empty parts": (FORM, b"--x\r\n\r\n\r\n" * 80_000 + b"--x--\r\n", 413),
    "two files": (FORM, part() * 2 + b"--x--\r\n", 422),
    "thousands of headers in a part": (FORM, part(headers=b"x-a: M4RKER\r\n" * 10_000) + b"--x--\r\n", 400),
    "a huge header in a part": (FORM, part(headers=b"x-a: " + b"M4RKER" * 100_000 + b"\r\n") + b"--x--\r\n", 400),
    "a huge header name in a part": (FORM, part(headers=b"M4RKER" * 100_000 + b": a\r\n") + b"--x--\r\n", 400),
    "a huge field name": (FORM, part(b"M4RKER" * 100_000) + b"--x--\r\n", 400),
    "a file name of 10 kB": (FORM, part(b'file"; filename="' + b"M4RKER" * 1700) + b"--x--\r\n", 400),
    "a part inside a part": (
        FORM,
        part(headers=b"content-type: " + FORM + b"\r\n", content=part()) + b"--x--\r\n",
        415,
    ),
    "a preamble of dashes": (FORM, b"-" * 900_000, 400),
    "an epilogue": (FORM, part(content=b"M4RKER") + b"--x--\r\n" + b"\r" * 900_000, 415),
}


@pytest.mark.parametrize("case", FORMS)
def test_a_hostile_form_is_refused_and_its_connection_goes_on(target: Server, case: str) -> None:
    content_type, content, status = FORMS[case]
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n"
    started = time.monotonic()
    received = exchange(target, head % (content_type, len(content)) + content, last(GET))
    assert time.monotonic() - started < GENEROUS_SECONDS
    assert statuses(received) in ([status, 200], [status])
    assert received.startswith(b"HTTP/1.1 %d" % status)
    assert MARKER not in received


@pytest.mark.parametrize(
    "name",
    [
        "../../../../etc/M4RKER",
        "C:\\M4RKER\\..\\nul",
        "M4RKER\0.png",
        "M4RKER" * 600,
        'M4RKER";name="other',
        "\u202egnp.M4RKER\u2066",
        "M4RKER\nHTTP/1.1 500 forged",
        "M4RKER\x1b[31m",
        "%0d%0aM4RKER: %s%n{0}${jndi:ldap://x}",
        "",
    ],
)
def test_an_odd_file_name_changes_nothing(normal: httpx2.Client, hand: bytes, name: str) -> None:
    plain = normal.post("/predict", content=hand).json()
    head = f'--x\r\ncontent-disposition: form-data; name="file"; filename*=utf-8\'\'M4RKER; filename="{name}"\r\n\r\n'
    raw = normal.post(
        "/predict", content=head.encode() + hand + b"\r\n--x--\r\n", headers={"content-type": FORM.decode()}
    )
    named = normal.post("/predict", files={"file": (name or "M4RKER", hand)})
    assert named.json() == plain
    assert MARKER.decode() not in raw.text + str(raw.headers)
    if "\n" in name or "\0" in name or '"' in name:  # unescaped, they are no form
        assert raw.status_code in {200, 400, 422}
    else:
        assert raw.json() == plain


def test_a_body_of_another_length_than_it_says_harms_only_itself(target: Server) -> None:
    declared = POST + b"content-length: 100\r\n\r\n"
    assert statuses(exchange(target, declared + b"x" * 200)) == []
    with connect(target) as connection:
        connection.sendall(declared + b"x" * 50)
        connection.shutdown(socket.SHUT_WR)
        assert drain(connection) == b""


def test_chunks_without_end_are_cut_off_at_the_limit(target: Server) -> None:
    piece = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    assert_refused(exchange(target, CHUNKED, *[piece] * 1000), 413)


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b"1\r\nx\r\n" * 200_000], id="one byte each"),
        pytest.param([b"1;" + b"M4RKER" * 20_000] * 50, id="an endless extension"),
        pytest.param([b"1\r\nx\r\n0\r\n", *[b"x-a: M4RKER\r\n" * 10_000] * 50], id="endless trailers"),
        pytest.param([b"1\r\nx\r\n0\r\nx-a: ", *[b"M4RKER" * 20_000] * 50], id="an endless trailer"),
    ],
)
def test_chunks_that_bring_little_but_themselves_are_refused(target: Server, pieces: list[bytes]) -> None:
    assert_refused(exchange(target, CHUNKED, *pieces), 400)


def test_chunks_of_a_kilobyte_are_taken(normal: httpx2.Client) -> None:
    pieces = (bytes(1000) for _ in range(999))
    assert normal.post("/predict", content=pieces).status_code == 415


def test_ten_gigabytes_are_refused_before_a_byte_is_sent(target: Server) -> None:
    head = POST + b"expect: 100-continue\r\ncontent-length: 10000000000\r\n\r\n"
    assert_refused(exchange(target, head), 413)


def test_requests_sent_ahead_are_answered_in_order_but_not_without_end(target: Server) -> None:
    a, b = GET, GET.replace(b"livez", b"nowhere")
    assert statuses(exchange(target, (a + b) * 5 + last(a))) == [200, 404] * 5 + [200]
    endless = exchange(target, *[a * 5000] * 200)
    assert len(statuses(endless)) <= 16


def test_a_request_that_asks_for_another_protocol_is_answered_and_closed(target: Server) -> None:
    upgrade = GET[:-2] + b"connection: upgrade\r\nupgrade: h2c\r\n\r\n"
    assert statuses(exchange(target, upgrade + GET)) == [200]
    assert statuses(exchange(target, upgrade, GET)) == [200]


def test_clients_that_vanish_mid_upload_leave_nothing_behind(target: Server, normal: httpx2.Client) -> None:
    declared, sent = 900_000, 700_000
    head = POST + b"content-length: %d\r\n\r\n" % declared
    before, gone = descriptors(target), closed_early(target)
    for round in range(1, 11):
        clients = [connect(target) for _ in range(10)]  # together they fill the budget
        for client in clients:
            client.sendall(head + bytes(sent))
        for client in clients:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset, not a farewell
            client.close()
        wait_until(lambda: closed_early(target) == gone + 10 * round)  # noqa: B023
    full = normal.post("/predict/batch", content=bytes(BUDGET // 2), headers={"content-type": FORM.decode()})
    assert full.status_code == 400
    normal.close()
    wait_until(lambda: descriptors(target) <= before)


def closed_early(server: Server) -> int:
    return sum(line.get("status") == 499 for line in server.logs())


async def drip(server: Server, first: bytes, drop: bytes = b"") -> bytes:
    """Send `first`, then a drop four times a second; everything that comes back until the server closes."""
    address = urlsplit(server.address)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
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
    address = urlsplit(server.address)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
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
    request = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n"
    for _ in range(400):
        time.sleep(0.005)
        try:
            connection.send(request)
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
