"""How steady the service is under more than it can do, under strangers' pictures, and while its bundle changes."""

import gc
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from signal import SIGHUP
from statistics import median
from threading import Timer

import numpy as np

from app.imaging import Pixels, decode, to_input
from app.limits import usable_cores
from app.model import bundle
from tests.benchmarks import load, stand
from tests.benchmarks.load import Reply, form, percentile
from tests.benchmarks.processes import memory
from tests.benchmarks.stand import CURRENT, jpeg, port, probabilities, same, seconds, server, table
from tests.bundles import another
from tests.running import Server
from training import phantoms

OVERLOAD_SECONDS = 60
DISTINCT = 100_000
ALIKE = 1e-3  # answers nearer than this cannot be told apart
TAKEOVER = {"before": (2, 8), "during": (8, 11), "after": (11, 16)}  # seconds; the change is asked for after eight


def overload() -> None:
    """Twice the capacity from an open loop for a minute, then quiet."""
    body = form(jpeg(64))
    with server(usable_cores()) as started:
        ask = partial(load.closed, port(started), partial(same, body))
        ask(4000, 64)
        peak = _rate(calm := ask(8000, 64))
        replies = load.opened(port(started), partial(same, body), 2 * peak, OVERLOAD_SECONDS)
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
    files, judge = _distinct_files(), stand.classifier()
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
    wrong = int((np.abs(probabilities(replies) - expected).max(axis=1) > ALIKE).sum())
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


def takeover() -> None:
    """Another bundle takes over under an open loop, compiled meanwhile; the medians of three rounds."""
    gc.freeze()  # the generator's own collections must not pass for the server's
    rows = []
    for rate in (600, 1000):
        rounds = [_changed(rate) for _ in range(3)]
        rows.append((rate, *(median(part) for part in zip(*rounds, strict=True))))
    head = "requests/s", *(f"99th percentile {when}, ms" for when in TAKEOVER), "not answered 200"
    table("Another bundle takes over", head, *rows)


def _changed(rate: int) -> tuple[float, ...]:
    with tempfile.TemporaryDirectory() as folder:
        root, cache = Path(folder) / "bundles", Path(folder) / "cache"
        shutil.copytree(CURRENT.parent, root, symlinks=True)
        second = another(root)
        with server(usable_cores(), root / "current", BODYREGION_CACHE=str(cache)) as started:
            shutil.rmtree(cache)
            ask, body = port(started), partial(same, form(jpeg(64)))
            load.closed(ask, body, 3000, 32)
            (root / "next").symlink_to(second.folder.name)
            Timer(TAKEOVER["during"][0], partial(_change, root / "next", started)).start()
            replies = load.opened(ask, body, rate, TAKEOVER["after"][1])
            assert sum(line["event"] == "bundle taken over" for line in started.logs()) == usable_cores()
    parts = ([reply for reply in replies if first <= reply.due < last] for first, last in TAKEOVER.values())
    return *(percentile(part, 99) for part in parts), sum(reply.status != 200 for reply in replies)


def _change(link: Path, started: Server) -> None:
    """By hand: what `use` checks would take the interpreter from the generator for a while."""
    link.replace(link.with_name(bundle.CURRENT))
    started.process.send_signal(SIGHUP)
