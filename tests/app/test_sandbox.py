"""Decoders that are killed, crash, hang or leave, under a real server."""

import io
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from PIL import Image

from tests.processes import children, environment
from tests.running import Server, serving, wait_until

HEAVY = Image.new("L", (300, 300), 90)  # too large to be decoded by the service itself


@pytest.fixture(scope="module")
def alone(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose decoders no other test uses."""
    output = tmp_path_factory.mktemp("alone") / "log"
    with serving(artifacts / "current", output, BODYREGION_API_KEYS="secret") as server:
        yield server


@pytest.fixture
def heavy(hand: bytes) -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(hand)).resize((300, 300)).save(file, "WEBP", lossless=True)
    return file.getvalue()


def ask(server: Server, *pictures: bytes, seconds: str = "10") -> httpx2.Response:
    headers = {"X-API-Key": "secret", "X-Request-Timeout": seconds}
    with server.client() as client:
        if len(pictures) == 1:
            return client.post("/predict", files={"file": pictures[0]}, headers=headers)
        return client.post("/predict/batch", files=[("files", picture) for picture in pictures], headers=headers)


def decoder(server: Server) -> int:
    """The one that takes the next picture."""
    ask(server, io_of(HEAVY))
    return max(children(server.process.pid))


def io_of(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "WEBP")
    return file.getvalue()


def while_it_waits(server: Server, picture: bytes, *signals: int, seconds: str = "10") -> httpx2.Response:
    """The answer for a picture whose decoder is held while it has it, and then sent `signals`."""
    held = decoder(server)
    os.kill(held, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, server, picture, seconds=seconds)
        if signals:
            wait_until(lambda: waiting(held))
        for number in signals:
            os.kill(held, number)
        return answer.result()
