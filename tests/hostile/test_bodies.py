"""Bodies that are not as long as they say, never end, or whose sender vanishes."""

import socket

import httpx2
import pytest

from tests.hostile.wire import (
    BUDGET,
    CHUNKED,
    FORM,
    POST,
    assert_refused,
    connect,
    descriptors,
    drain,
    exchange,
    statuses,
)
from tests.running import Server, wait_until


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
