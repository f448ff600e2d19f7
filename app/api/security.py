"""Who may ask, and what a browser may do with the answer."""

import hmac
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import product, starmap

from fastapi import FastAPI
from pydantic import SecretStr
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.errors import KeyNeeded
from app.api.openapi import problems, protocol_errors
from app.api.request import CURRENT, in_protocol_v2

HEADER = "X-API-Key"
SCHEMES = {"ApiKey": {"type": "apiKey", "in": "header", "name": HEADER}, "Bearer": {"type": "http", "scheme": "bearer"}}
PAGE, DOCS, ASSETS = "/", "/docs", "/web/"  # for people, and what both pages are made of
OPEN_PATHS = {PAGE, "/health", "/livez", "/readyz", DOCS, "/openapi.json"}  # the probes too, and what /docs reads
OPEN_PREFIXES = (ASSETS, "/v2/health/")

Headers = list[tuple[bytes, bytes]]


def _headers(cache: str, policy: str) -> Headers:
    return [
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cache-control", cache.encode()),
        (b"content-security-policy", f"default-src 'none'; frame-ancestors 'none'{policy}".encode()),
    ]


ANSWER_HEADERS = _headers("no-store", "")
PAGE_HEADERS = _headers(  # which may be kept, if asked about each time; pictures are shown from memory
    "no-cache",
    "; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'"
    "; base-uri 'none'; form-action 'none'",
)


@lru_cache  # it is asked for every answer
def headers(path: str) -> Headers:
    """What an answer from `path` tells a browser, whatever else it says."""
    return PAGE_HEADERS if is_page(path) else ANSWER_HEADERS


def install(app: FastAPI, keys: Sequence[SecretStr], origins: Sequence[str]) -> None:
    """Ask for one of `keys`, and let pages from `origins` ask, where there are any. The routes must be there already."""
    if keys:
        app.add_middleware(ApiKeys, keys=keys)
        _document(app)
    if origins:  # around the keys, because a browser asks for leave without one
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=[HEADER, "Authorization", "Content-Type"],
            expose_headers=["X-Request-ID", "X-Model-Version", "Server-Timing"],
        )


class ApiKeys:
    """ASGI middleware: refuses a request without one of `keys` before anything of it is read.

    A right one is enough whatever stands beside it: a proxy may have an Authorization of its own.
    """

    def __init__(self, app: ASGIApp, keys: Sequence[SecretStr]) -> None:
        self.app = app
        self._digests = [sha256(key.get_secret_value().encode()).digest() for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_open(scope["path"]) or self._knows(scope):
            await self.app(scope, receive, send)
            return
        await CURRENT.get().refuse(KeyNeeded())(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        headers = dict(scope["headers"])
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        keys = headers.get(HEADER.lower().encode(), b""), token.strip() if scheme.lower() == b"bearer" else b""
        given = [sha256(key).digest() for key in keys]
        return sum(starmap(hmac.compare_digest, product(given, self._digests))) > 0  # all, so time tells nothing


def is_page(path: str) -> bool:
    """Whether `path` is for people's browsers."""
    return path in (PAGE, DOCS) or path.startswith(ASSETS)


def is_open(path: str) -> bool:
    """Whether `path` is for everybody: probes and pages."""
    return path in OPEN_PATHS or path.startswith(OPEN_PREFIXES)


def _document(app: FastAPI) -> None:
    """Say in the OpenAPI document which routes need a key."""
    schema = app.openapi()
    schema["components"]["securitySchemes"] = SCHEMES
    for path, operations in schema["paths"].items():
        for operation in () if is_open(path) else operations.values():
            operation["security"] = [{scheme: []} for scheme in SCHEMES]  # either
            refused = protocol_errors(401) if in_protocol_v2(path) else problems(401)
            operation["responses"]["401"] = refused[401]
