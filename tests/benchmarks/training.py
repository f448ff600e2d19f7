"""How fast pictures reach the network: python -m tests.benchmarks.training DATA, the folder of class folders.

Two questions, each answered side by side in one run: pictures a second out of our input pipeline against
keras.utils.image_dataset_from_directory, and an epoch through it against a bare `fit` on arrays in memory.
"""

import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from tests.benchmarks.stand import seconds, table
from training import datasets
from training.phantoms import KINDS, write_data_set
from training.recipes.article import RECIPE
from training.split import Split

REPEATS = 5
DRAWN = 1500  # phantoms of each kind, where no data is given


def compare(root: Path, cache: Path) -> None:
    decode = partial(datasets.load, root, RECIPE.input.view, cache)
    decoding = seconds(decode)
    pictures = decode()  # from the cache
    count = len(pictures.labels)
    parts = Split(pictures, "listed", seed=0, assigned=np.full(count, "train"))
    (inputs, targets), batches = parts.arrays(parts.rows("train")), RECIPE.batches(parts, None)
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
    table(
        f"{count:,} pictures, medians",
        ("measure", "ours", "compared with", "ratio"),
        ("input pipeline, pictures/s", f"{count / ours:,.0f}", f"{count / theirs:,.0f} from directory", theirs / ours),
        ("an epoch, s", fit, f"{bare:.2f} bare fit", fit / bare),
        ("decoding everything once, s", decoding, "", ""),
    )


def main() -> None:
    keras.utils.set_random_seed(0)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(scratch) / "Phantoms"
        if len(sys.argv) == 1:
            write_data_set(root, list(KINDS), DRAWN, seed=0)
        compare(root, Path(scratch) / "cache")


if __name__ == "__main__":
    main()
