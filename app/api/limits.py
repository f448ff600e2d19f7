"""Receiving a body without ever holding more of it than allowed."""

import asyncio

from fastapi import Request

from app.api.errors import Encoded, Malformed, TooLarge, TooSlow


async def receive(request: Request, max_bytes: int, deadline: float) -> bytes:
    """The whole body: refused unread when it declares too much, cut off when it sends too much.

    `deadline` is a time of the event loop's clock. Raises TooLarge, TooSlow, Encoded or Malformed.
    """
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Encoded("The body is encoded; send the picture's own bytes.")
    _check(_declared(request), max_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout_at(deadline):
            async for chunk in request.stream():
                body += chunk
                _check(len(body), max_bytes)
    except TimeoutError as error:
        raise TooSlow("The body did not arrive in time.") from error
    return bytes(body)


def _declared(request: Request) -> int:
    length = request.headers.get("content-length", "0")
    if not length.isascii() or not length.isdecimal():
        raise Malformed("The Content-Length is not a number.")
    return int(length)


def _check(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise TooLarge(f"The body has more than {max_bytes:,} bytes.")
