"""The test stand of the benchmarks: a fresh server, what to send it, a table to print."""

import io
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import numpy as np
from PIL import Image

from app.model.classifier import Floats
from tests.benchmarks.load import Reply
from tests.running import Server, serving
from training import phantoms

CURRENT = Path("model_artifacts/current")
Row = tuple[object, ...]


@contextmanager
def server(workers: int, bundle: Path = CURRENT) -> Iterator[Server]:
    backend = {name: value for name, value in os.environ.items() if name == "KERAS_BACKEND"}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with serving(bundle, log, BODYREGION_WORKERS=str(workers), **backend) as started:
            while sum(line["event"] == "ready" for line in started.logs()) < workers:
                time.sleep(0.05)
            yield started


def port(started: Server) -> int:
    return int(started.address.rsplit(":", 1)[1])


def jpeg(side: int) -> bytes:
    picture, file = Image.fromarray(phantoms.draw("Hand", np.random.default_rng(0))), io.BytesIO()
    picture.resize((side, side)).save(file, "JPEG", quality=90)
    return file.getvalue()


def table(title: str, *rows: Row) -> None:
    print(f"\n{title}\n")
    for number, row in enumerate(rows):
        print("| " + " | ".join(f"{cell:,.2f}" if isinstance(cell, float) else str(cell) for cell in row) + " |")
        if number == 0:
            print("|" + "---|" * len(row), flush=True)


def seconds(work: Callable[[], object]) -> float:
    begun = perf_counter()
    work()
    return perf_counter() - begun


def same(body: bytes, number: int) -> bytes:
    return body


def probabilities(replies: list[Reply]) -> Floats:
    return np.array([list(json.loads(reply.content)["probabilities"].values()) for reply in replies], np.float32)
