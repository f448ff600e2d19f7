"""What Ray costs and brings: python -m tests.benchmarks.cluster [PICTURES], a folder; else drawn ones.

`classify` on the same files with 1 and 2 processes, on processes of its own and on a Ray started for it. The start, which
is seconds of Ray's and Keras' in every worker, is measured with an eighth of the files and taken off.
"""

import secrets
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median

import numpy as np

from tests.benchmarks.stand import CURRENT, links, seconds, table
from tests.running import ROOT, run
from training import phantoms

MANY_FILES, FEW_FILES, ROUNDS = 40_000, 5_000, 3
Way = tuple[str, int]
WAYS: list[Way] = [("own processes", 1), ("own processes", 2), ("Ray", 1), ("Ray", 2)]
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def rates(pictures: list[Path], folder: Path) -> None:
    few, many = links(pictures[:FEW_FILES], folder / "few"), links(pictures, folder / "many")
    taken: dict[Way, list[tuple[float, float]]] = defaultdict(list)
    for _ in range(ROUNDS):
        for way in WAYS:
            taken[way].append((_classify(few, way, folder), _classify(many, way, folder)))
    rows = []
    for (name, workers), times in taken.items():
        begun, whole = (median(some) for some in zip(*times, strict=True))
        rows.append(
            (name, workers, f"{begun:.1f}", f"{whole:.1f}", f"{(len(pictures) - FEW_FILES) / (whole - begun):,.0f}")
        )
    head = ("on", "workers", f"seconds for {FEW_FILES:,}", f"for {len(pictures):,}", "pictures/s after the start")
    table(f"classify, medians of {ROUNDS}", head, *rows)


def _classify(files: Path, way: Way, folder: Path) -> float:
    out, options = folder / "table.csv", ["--workers", str(way[1])]
    options += ["--cluster", "local"] if way[0] == "Ray" else []
    out.unlink(missing_ok=True)
    command: list[str | Path] = ["app", "classify", files, "--out", out, "--bundle", CURRENT, *options]

    def once() -> None:
        done = run(*command, cwd=ROOT, **TOKEN)
        assert done.returncode == 0, done.stderr

    return seconds(once)


def _drawn(folder: Path) -> list[Path]:
    path = folder / "hand.png"
    path.write_bytes(phantoms.png(phantoms.draw("Hand", np.random.default_rng(0))))
    return [path] * MANY_FILES


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        found = sorted(path for root in sys.argv[1:] for path in Path(root).rglob("*.jp*g"))
        rates(found[:: max(1, len(found) // MANY_FILES)][:MANY_FILES] or _drawn(Path(name)), Path(name))
