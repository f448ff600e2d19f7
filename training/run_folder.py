"""A run's folder: found again after an interruption, left alone once finished, used by one process at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import count
from pathlib import Path

from training import DataError
from training.companions import Companions
from training.recipes.recipe import Recipe
from training.split import Split

FINISHED, LOCK, LISTING = "finished", ".lock", "manifest.csv"


def folder(runs: Path, recipe: Recipe, split: Split, companions: Companions | None) -> Path:
    """The unfinished run of exactly this recipe, seed, split and companions, or else a new one beside the finished."""
    listing = split.listing()
    key = sha256(f"{recipe!r} {split.seed} {companions and companions.sha256} {listing}".encode()).hexdigest()[:8]
    names = (f"{recipe.name}-{key}" + (f"-{number}" if number > 1 else "") for number in count(1))
    path = next(runs / name for name in names if not (runs / name / FINISHED).exists())
    path.mkdir(parents=True, exist_ok=True)
    (path / LISTING).write_text(listing)
    return path


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the folder; a second training in it is refused. Marked finished when the block ends well."""
    with (path / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataError(f"Another training is at work in {path}.") from error
        yield
        (path / FINISHED).touch()
