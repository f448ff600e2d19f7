"""Requests as raw bytes, for what no client would send, and what comes back."""

import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

from tests.running import Server

MOST = 1_000_000  # bytes of a picture, on the server here
BUDGET = 8_000_000  # bytes of bodies on their way, twice the largest request
GET = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\n"
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"
FORM = b"multipart/form-data; boundary=x"
MARKER = b"M4RKER"  # in file names, headers and paths; must be in no log
GENEROUS_SECONDS = 4.0
UNREASONABLE_SECONDS = 30.0


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
    assert statuses(received) == [status], received[:1000]
    head, content = received.split(b"\r\n\r\n", 1)
    problem = json.loads(content)
    assert b"content-type: application/problem+json" in head.lower(), head
    assert set(problem) == {"type", "title", "status", "detail", "instance", "request_id", "kind"}, problem
    assert problem["status"] == status, problem
    assert f"x-request-id: {problem['request_id']}".encode() in head, head
    assert MARKER not in problem["detail"].encode() + head, received


def descriptors(server: Server) -> int:
    return sum(1 for _ in Path(f"/proc/{server.process.pid}/fd").iterdir())
