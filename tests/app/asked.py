"""What several tests ask the service for, and what they make of its refusals."""

import asyncio
from typing import Any

import httpx2

from tests.hostile.wire import connect
from tests.running import Server

INFER = "/v2/models/mednist/infer"


def raw(server: Server, request: str) -> str:
    """What comes back first for these very bytes."""
    with connect(server) as connection:
        connection.sendall(request.encode())
        return connection.recv(65536).decode("latin-1")


def status(server: Server, request: str) -> int:
    return int(raw(server, request).split()[1])


def at_once(server: Server, *requests: tuple[str, dict[str, Any]]) -> list[httpx2.Response]:
    """The answers to the posts, in order."""

    async def post_all() -> list[httpx2.Response]:
        async with httpx2.AsyncClient(base_url=server.address, timeout=30) as client:
            return list(await asyncio.gather(*[client.post(url, **request) for url, request in requests]))

    return asyncio.run(post_all())


def tensor(**changes: Any) -> dict[str, Any]:
    """A request of /v2 in JSON with one tensor, changed."""
    return {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": ["iVBORw0KGgo="]} | changes]}


def assert_problem(answer: httpx2.Response, status: int) -> None:
    problem = answer.json()
    assert answer.status_code == status == problem["status"], answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(problem) == {"type", "title", "status", "detail", "instance", "request_id", "kind"}
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["detail"].endswith(".")


def assert_error(answer: httpx2.Response, status: int) -> None:
    """One of /v2, which has a shape of its own."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["error"]
    assert answer.json()["error"].endswith(".") or status in {404, 405}
