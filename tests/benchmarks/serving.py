"""How fast and how steady the service is: python -m tests.benchmarks.serving [QUESTION…], all of them by default.

Each question starts servers of its own on the current bundle and prints a table. KERAS_BACKEND chooses the backend.
The load generators share the machine with the server: compare figures of one run with each other only.
"""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from PIL import Image

from app.imaging import Pixels, decode, to_input
from app.model import bundle
from app.model.classifier import Classifier, Floats, ready
from app.settings import usable_cores
from tests.benchmarks import load
from tests.benchmarks.load import Reply, form, percentile
from tests.benchmarks.processes import memory
from tests.running import Server, serving
from training import phantoms

CURRENT = Path("model_artifacts/current")
SECONDS = "8"  # of each measurement with wrk, after two to warm up
OVERLOAD_SECONDS = 60
DISTINCT = 100_000
ALIKE = 1e-3  # answers nearer than this cannot be told apart

Row = tuple[object, ...]
judge: Classifier


@contextmanager
def server(workers: int) -> Iterator[Server]:
    backend = {name: value for name, value in os.environ.items() if name == "KERAS_BACKEND"}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with serving(CURRENT, log, BODYREGION_WORKERS=str(workers), **backend) as started:
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


def start() -> None:
    """From the command until both workers are ready, and the memory of all processes after a thousand answers."""
    times = []
    for _ in range(3):
        begun = perf_counter()
        with server(2) as started:
            times.append(perf_counter() - begun)
            load.closed(port(started), partial(_same, form(jpeg(64))), 1000, 8)
            used = memory(started.process.pid)
    head = "process", "proportional MiB", "resident MiB"
    table(
        f"Two workers ready after {median(times):.1f} s", head, *used, ("a worker", sum(row[1] for row in used) / 2, "")
    )


def connections() -> None:
    """Requests a second by workers and connections."""
    rows: list[Row] = []
    for workers in sorted({1, usable_cores()}):
        with server(workers) as started:
            rows += [(workers, count, *_wrk(started, count)) for count in (1, 4, 16, 64, 256)]
    head = "workers", "connections", "requests/s", "median ms", "99th percentile ms", "failed"
    table("One 64 × 64 JPEG a request", head, *rows)


def _wrk(started: Server, connections: int) -> tuple[float, float, float, int]:
    """Requests a second, median and 99th percentile in ms, failures."""
    command = ["wrk", "-t1", f"-c{connections}", "--latency", "-s", "tests/benchmarks/upload.lua"]
    with tempfile.NamedTemporaryFile(suffix=".jpeg") as picture:
        Path(picture.name).write_bytes(jpeg(64))
        environment = os.environ | {"IMG": picture.name}
        for duration in ("2", SECONDS):
            asked = [*command, f"-d{duration}s", f"{started.address}/predict"]
            shown = subprocess.run(asked, env=environment, capture_output=True, text=True, check=True).stdout
    rate, middle, late, failed = shown.split("FIGURES ")[1].split()
    return float(rate), float(middle), float(late), int(failed)


def batches() -> None:
    """Pictures a second through /predict/batch, beside as many processes that decode and judge the same in a bare loop."""
    picture, cores, rows = jpeg(64), usable_cores(), []
    with server(cores) as started, ProcessPoolExecutor(cores, get_context("spawn"), _own_classifier) as pool:
        for size in (1, 4, 16, 64, 128):
            count = max(20, 4000 // size)
            ask = partial(
                load.closed,
                port(started),
                partial(_same, form(picture, "files", size)),
                count,
                4 * cores * 32 // max(size, 32),
            )
            shares = [count // cores] * cores
            bare = partial(lambda *work: list(pool.map(*work)), partial(_bare, picture, size), shares)
            assert {reply.status for reply in ask()} == {200}
            served, looped = (size * count / median(seconds(work) for _ in range(3)) for work in (ask, bare))
            rows.append((size, served, looped, served / looped))
    table("Batches", ("pictures a request", "served pictures/s", f"{cores} bare loops", "ratio"), *rows)


def _own_classifier() -> None:
    global judge  # noqa: PLW0603 one for each process of the pool
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    judge = ready(bundle.read(CURRENT), 1)


def _bare(picture: bytes, size: int, count: int) -> None:
    for _ in range(count):
        judge(np.stack([to_input(decode(picture), judge.size) for _ in range(size)]))


def sides() -> None:
    """Where the time of one request goes, by the size of its picture."""
    judge, rows = ready(bundle.read(CURRENT), 1), []
    with server(1) as started:
        for side in (64, 256, 1024, 2048, 4096):
            picture = jpeg(side)
            whole = median(seconds(partial(_whole, picture, judge.size)) for _ in range(15)) * 1e3
            replies = load.closed(port(started), partial(_same, form(picture)), 40, 1)
            stages = [re.findall(r"dur=([\d.]+)", reply.headers[b"server-timing"].decode()) for reply in replies]
            expected = judge(_whole(picture, judge.size)[np.newaxis]).probabilities
            off = float(np.abs(_probabilities(replies) - expected).max())
            timed = np.median(np.array(stages, float), axis=0).tolist()
            rows.append((side, len(picture), whole, *timed, percentile(replies, 50), f"{off:.4f}"))
    head = "side", "bytes", "whole decode ms", "decode ms", "queue ms", "infer ms", "request ms", "probability off by"
    table("One request after another", head, *rows)


def _whole(picture: bytes, size: int) -> Pixels:
    return to_input(decode(picture), size)


def _same(body: bytes, number: int) -> bytes:
    return body


def overload() -> None:
    """Twice the capacity from an open loop for a minute, then quiet."""
    body = form(jpeg(64))
    with server(usable_cores()) as started:
        ask = partial(load.closed, port(started), partial(_same, body))
        ask(4000, 64)
        peak = _rate(calm := ask(8000, 64))
        replies = load.opened(port(started), partial(_same, body), 2 * peak, OVERLOAD_SECONDS)
        usual = percentile(calm, 99)
        recovery = seconds(lambda: _until(lambda: percentile(ask(10, 1), 100) <= usual))
    served = [reply for reply in replies if reply.status == 200]
    silent = sum(reply.status == 503 and b"retry-after" not in reply.headers for reply in replies)
    statuses = dict(Counter(reply.status for reply in replies))
    head = (
        "capacity/s",
        "served/s",
        "ratio",
        "statuses",
        "503 without Retry-After",
        "99th percentile of 200s, ms",
        "normal after s",
    )
    figures = peak, _rate(served), _rate(served) / peak, statuses, silent, percentile(served, 99), recovery
    table("Offered twice the capacity for a minute", head, figures)


def _rate(replies: list[Reply]) -> float:
    return len(replies) / max(reply.due + reply.seconds for reply in replies)


def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        pass


def distinct() -> None:
    """Does every answer belong to its picture, and does memory stay flat?"""
    files, judge = _distinct_files(), ready(bundle.read(CURRENT), 1)
    parts = [files[at : at + 128] for at in range(0, DISTINCT, 128)]
    inputs = (np.stack([to_input(decode(file), judge.size) for file in part]) for part in parts)
    expected = np.concatenate([judge(some).probabilities for some in inputs])
    with server(usable_cores()) as started:
        ask = partial(load.closed, port(started), lambda number: form(files[number]))
        ask(DISTINCT // 10, 64)
        before = sum(row[1] for row in memory(started.process.pid))
        replies = ask(DISTINCT, 64)
        after = sum(row[1] for row in memory(started.process.pid))
    statuses = dict(Counter(reply.status for reply in replies))
    wrong = int((np.abs(_probabilities(replies) - expected).max(axis=1) > ALIKE).sum())
    alike = float((np.abs(expected - np.roll(expected, 1, axis=0)).max(axis=1) <= ALIKE).mean())
    head = "pictures", "statuses", "answers of another", "neighbours too alike to tell", "MiB before", "after"
    table("Distinct pictures over 64 connections", head, (DISTINCT, statuses, wrong, alike, before, after))


def _distinct_files() -> list[bytes]:
    """PNG of two phantoms over each other, in shares of their own."""
    drawn, rng = np.stack(phantoms.candidates(seed=1)).astype(np.float32), np.random.default_rng(0)
    pairs, shares = rng.integers(0, len(drawn), (DISTINCT, 2)), rng.uniform(0, 1, DISTINCT)
    mixed: Iterator[Pixels] = (
        (drawn[one] * share + drawn[other] * (1 - share)).astype(np.uint8)
        for (one, other), share in zip(pairs.tolist(), shares.tolist(), strict=True)
    )
    return [phantoms.png(picture) for picture in mixed]


def _probabilities(replies: list[Reply]) -> Floats:
    return np.array([list(json.loads(reply.content)["probabilities"].values()) for reply in replies], np.float32)


QUESTIONS = {question.__name__: question for question in (start, connections, batches, sides, overload, distinct)}

if __name__ == "__main__":
    if not shutil.which("wrk"):
        sys.exit("error: wrk is needed: apt install wrk")
    for name in sys.argv[1:] or QUESTIONS:
        QUESTIONS[name]()
