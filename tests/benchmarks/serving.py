"""How fast the service is, from one connection to many, from one picture a request to 128."""

import os
import re
import subprocess
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from app.imaging import Pixels, decode, to_input
from app.limits import usable_cores
from tests.benchmarks import load, stand
from tests.benchmarks.load import form, percentile
from tests.benchmarks.processes import memory
from tests.benchmarks.stand import Row, jpeg, own_classifier, port, probabilities, same, seconds, server, table
from tests.running import Server

SECONDS = "8"  # of each measurement with wrk, after two to warm up


def start() -> None:
    """From the command until both workers are ready, and the memory of all processes after a thousand answers."""
    times = []
    for _ in range(3):
        begun = perf_counter()
        with server(2) as started:
            times.append(perf_counter() - begun)
            load.closed(port(started), partial(same, form(jpeg(64))), 1000, 8)
            used = memory(started.process.pid)
    head = "process", "proportional MiB", "resident MiB"
    one = "a worker", sum(row[1] for row in used) / 2, ""
    table(f"Two workers ready after {median(times):.1f} s", head, *used, one)


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
    with server(cores) as started, ProcessPoolExecutor(cores, get_context("spawn"), own_classifier) as pool:
        for size in (1, 4, 16, 64, 128):
            body, count = form(picture, "files", size), max(20, 4000 // size)
            connections = 4 * cores * 32 // max(size, 32)
            ask = partial(load.closed, port(started), partial(same, body), count, connections)
            shares = [count // cores] * cores
            bare = partial(lambda *work: list(pool.map(*work)), partial(_bare, picture, size), shares)
            assert {reply.status for reply in ask()} == {200}
            served, looped = (size * count / median(seconds(work) for _ in range(3)) for work in (ask, bare))
            rows.append((size, served, looped, served / looped))
    table("Batches", ("pictures a request", "served pictures/s", f"{cores} bare loops", "ratio"), *rows)


def _bare(picture: bytes, size: int, count: int) -> None:
    for _ in range(count):
        stand.judge(np.stack([to_input(decode(picture), stand.judge.size) for _ in range(size)]))


def sides() -> None:
    """Where the time of one request goes, by the size of its picture."""
    judge, rows = stand.classifier(), []
    with server(1) as started:
        for side in (64, 256, 1024, 2048, 4096):
            picture = jpeg(side)
            whole = median(seconds(partial(_whole, picture, judge.size)) for _ in range(15)) * 1e3
            replies = load.closed(port(started), partial(same, form(picture)), 40, 1)
            stages = [re.findall(r"dur=([\d.]+)", reply.headers[b"server-timing"].decode()) for reply in replies]
            expected = judge(_whole(picture, judge.size)[np.newaxis]).probabilities
            off = float(np.abs(probabilities(replies) - expected).max())
            timed = np.median(np.array(stages, float), axis=0).tolist()
            rows.append((side, len(picture), whole, *timed, percentile(replies, 50), f"{off:.4f}"))
    head = "side", "bytes", "whole decode ms", "decode ms", "queue ms", "infer ms", "request ms", "probability off by"
    table("One request after another", head, *rows)


def _whole(picture: bytes, size: int) -> Pixels:
    return to_input(decode(picture), size)
