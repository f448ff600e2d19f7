"""Heads that are broken, odd or too large, and requests sent ahead."""

import pytest

from tests.hostile.wire import CHUNKED, GET, MARKER, POST, assert_refused, exchange, last, statuses
from tests.running import Server

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


def test_requests_sent_ahead_are_answered_in_order_but_not_without_end(target: Server) -> None:
    a, b = GET, GET.replace(b"livez", b"nowhere")
    assert statuses(exchange(target, (a + b) * 5 + last(a))) == [200, 404] * 5 + [200]
    endless = exchange(target, *[a * 5000] * 200)
    assert len(statuses(endless)) <= 16
