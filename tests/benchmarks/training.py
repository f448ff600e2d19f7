"""How fast pictures reach the network: python -m tests.benchmarks.training DATA, the folder of class folders.

Two questions, each answered side by side in one run: pictures a second out of our input pipeline against
keras.utils.image_dataset_from_directory, and an epoch through it against a bare `fit` on arrays in memory.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from rich.console import Console
from rich.table import Table

from training import datasets
from training.phantoms import KINDS, write_data_set
from training.recipes.article import RECIPE
from training.split import Split

REPEATS = 5
DRAWN = 1500  # phantoms of each kind, where no data is given


def seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def compare(root: Path, cache: Path) -> Table:
    start = perf_counter()
    pictures = datasets.load(root, RECIPE.size, cache)
    decoding = perf_counter() - start
    count = len(pictures.labels)
    parts = Split(pictures, "listed", seed=0, assigned=np.full(count, "train"))
    (inputs, targets), batches = parts.arrays(parts.rows("train")), RECIPE.batches(parts)
    directory = keras.utils.image_dataset_from_directory(
        root, label_mode="categorical", color_mode="grayscale", image_size=(RECIPE.size,) * 2, verbose=False
    )
    model = RECIPE.network(len(pictures.classes), len(batches))
    model.fit(batches, verbose=0)
    model.fit(inputs, targets, batch_size=RECIPE.batch_size, verbose=0)
    timings = [
        (
            seconds(lambda: [batches[index] for index in range(len(batches))]),
            seconds(lambda: [None for _ in directory]) if turn < 2 else None,
            seconds(lambda: model.fit(batches, verbose=0)),
            seconds(lambda: model.fit(inputs, targets, batch_size=RECIPE.batch_size, verbose=0)),
        )
        for turn in range(REPEATS)
    ]
    ours, theirs, fit, bare = (median([value for value in column if value]) for column in zip(*timings, strict=True))
    table = Table("measure", "ours", "compared with", "ratio", title=f"{count:,} pictures, medians")
    table.add_row(
        "input pipeline, pictures/s",
        f"{count / ours:,.0f}",
        f"{count / theirs:,.0f} from directory",
        f"{theirs / ours:.0f} ×",
    )
    table.add_row("an epoch, s", f"{fit:.2f}", f"{bare:.2f} bare fit", f"{fit / bare:.2f} ×")
    table.add_row("decoding everything once, s", f"{decoding:.1f}", "", "")
    return table


def main() -> None:
    keras.utils.set_random_seed(0)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(scratch) / "Phantoms"
        if len(sys.argv) == 1:
            write_data_set(root, list(KINDS), DRAWN, seed=0)
        Console().print(compare(root, Path(scratch) / "cache"))


if __name__ == "__main__":
    main()
