"""How fast `classify` is, and what it holds in memory: python -m tests.benchmarks.scoring DATA, a folder of pictures.

Beside it, as many processes as there are cores that read, decode and judge the same files in a bare loop.
"""

import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from app.imaging import decode, to_input
from app.limits import usable_cores
from tests.benchmarks import stand
from tests.benchmarks.processes import memory
from tests.benchmarks.stand import CURRENT, links, own_classifier, seconds, table
from tests.running import start

ROUNDS = 3
PICTURES_PER_CALL = 64


def rates(files: list[Path]) -> None:
    """Pictures a second, start-up left out on both sides; medians of rounds that take turns."""
    cores, own, bare = usable_cores(), [], []
    with ProcessPoolExecutor(cores, get_context("spawn"), own_classifier) as pool:
        list(pool.map(time.sleep, [0.5] * cores))
        shares = [files[core::cores] for core in range(cores)]
        for _ in range(ROUNDS):
            own.append(len(files) / _classify(files)[0])
            bare.append(len(files) / seconds(partial(lambda work, parts: list(pool.map(work, parts)), _bare, shares)))
    rows = [(f"{number:,.0f}", f"{loop:,.0f}", number / loop) for number, loop in zip(own, bare, strict=True)]
    head = "classify", f"{cores} bare loops", "ratio"
    table("Pictures a second", head, *rows, ("", "median", median(row[2] for row in rows)))


def footprints(files: list[Path]) -> None:
    """The most memory all processes hold together."""
    rows = [(f"{count:,}", round(_classify(files[:count])[1])) for count in (1_000, len(files))]
    table("Memory", ("files", "proportional MiB at most"), *rows)


def _classify(files: list[Path]) -> tuple[float, float]:
    """Seconds from the first row to the end, and the most MiB on the way."""
    with tempfile.TemporaryDirectory() as name:
        folder, out = links(files, Path(name) / "files"), Path(name) / "table.csv"
        process = start("app", "classify", folder, "--out", out, "--bundle", CURRENT, output=Path(name) / "log")
        while not out.exists() or out.stat().st_size < 1000:
            time.sleep(0.005)
        begun, most = perf_counter(), 0.0
        while process.poll() is None:
            most = max(most, sum(row[1] for row in memory(process.pid)))
            time.sleep(0.25)
        assert process.returncode == 0
        assert len(out.read_text().splitlines()) == len(files) + 1
        return perf_counter() - begun, most


def _bare(files: list[Path]) -> None:
    for at in range(0, len(files), PICTURES_PER_CALL):
        part = files[at : at + PICTURES_PER_CALL]
        stand.judge(np.stack([to_input(decode(file.read_bytes()), stand.judge.size) for file in part]))


if __name__ == "__main__":
    found = sorted(path for path in Path(sys.argv[1]).rglob("*") if path.is_file())
    footprints(found)
    rates(found)
