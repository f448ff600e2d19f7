"""The test stand of the benchmarks: a fresh server, what to send it, a table to print."""

import io
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import numpy as np
from PIL import Image

from app.model import bundle, checkpoint
from app.model.classifier import Classifier, Floats
from tests.benchmarks.load import Reply
from tests.running import Server, serving
from training import phantoms

CURRENT = Path("model_artifacts/current")
Row = tuple[object, ...]
judge: Classifier


@contextmanager
def server(workers: int, path: Path = CURRENT, **environment: str) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with serving(path, log, BODYREGION_WORKERS=str(workers), **environment) as started:
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


def own_classifier() -> None:
    """For a process of a pool: `judge`, on one core."""
    global judge  # noqa: PLW0603 one for each process
    judge = classifier()


def classifier() -> Classifier:
    return Classifier(checkpoint.compiled(bundle.read(CURRENT), checkpoint.default_cache()))


def links(pictures: list[Path], folder: Path) -> Path:
    """A new folder of links to `pictures`, which may be the same one many times."""
    folder.mkdir()
    for number, path in enumerate(pictures):
        (folder / f"{number:06}{path.suffix}").symlink_to(path.resolve())
    return folder


def same(body: bytes, number: int) -> bytes:
    return body


def probabilities(replies: list[Reply]) -> Floats:
    return np.array([list(json.loads(reply.content)["probabilities"].values()) for reply in replies], np.float32)
