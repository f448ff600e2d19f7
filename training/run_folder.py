"""A run's folder: found again after an interruption and once finished, used by one process at a time."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from itertools import count
from pathlib import Path

import app.imaging
import app.model
from app.model import bundle
from app.model.bundle import Bundle, BundleError
from app.model.manifest import Terms
from training import DataError
from training.companions import Companions
from training.external import External
from training.recipes.recipe import Recipe
from training.split import Split

FINISHED, LOCK, LISTING = "finished", ".lock", "manifest.csv"
SOURCES = (Path(__file__).parent, *map(Path, (*app.imaging.__path__, *app.model.__path__)))  # what a result depends on


def folder(runs: Path, recipe: Recipe, split: Split, companions: Companions | None) -> Path:
    """The run of exactly this recipe, seed, split and companions, or else a new one.

    One that was finished by other code stays as it is, and a new one is begun beside it.
    """
    listing, beside = split.listing(), companions and (companions.sha256, companions.gone)
    key = sha256(f"{recipe!r} {split.seed} {split.method} {beside} {listing}".encode()).hexdigest()[:8]
    names = (f"{recipe.name}-{key}" + (f"-{number}" if number > 1 else "") for number in count(1))
    code = _code()
    path = next(runs / name for name in names if _finished(runs / name).get("code", code) == code)
    path.mkdir(parents=True, exist_ok=True)
    (path / LISTING).write_text(listing)
    return path


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the folder; a second training in it is refused."""
    with (path / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataError(f"Another training is at work in {path}.") from error
        yield


def request(name: str, credit: str, headers: dict[str, Terms], external: External | None) -> str:
    """A checksum of what a bundle depends on beside the run."""
    key = sha256(f"{name!r} {credit!r} {headers!r}".encode())
    for array in vars(external).values() if external else ():
        key.update(array.tobytes())
    return key.hexdigest()


def finish(path: Path, asked: str, published: Bundle) -> None:
    """Mark the run as finished, with what was published of it on which request."""
    scratch = path / f".{FINISHED}"
    scratch.write_text(json.dumps({"code": _code(), "request": asked, "bundle": published.title}))
    scratch.replace(path / FINISHED)


def published(path: Path, asked: str, artifacts: Path) -> Bundle | None:
    """The bundle that the finished run published last, if it was on the same request and is still there, as it was."""
    found = _finished(path)
    if found.get("request") == asked:
        with suppress(BundleError):
            return bundle.find(artifacts, found["bundle"])
    return None


def _finished(path: Path) -> dict[str, str]:
    """What `finish` wrote down; of other code, if an older release wrote nothing."""
    marker = path / FINISHED
    if not marker.exists():
        return {}
    found: dict[str, str] = json.loads(marker.read_text() or '{"code": ""}')
    return found


@cache
def _code() -> str:
    """A checksum of the sources as they were when it was first asked for: a training may outlast an edit."""
    key = sha256()
    for source in sorted(source for folder in SOURCES for source in folder.rglob("*.py")):
        key.update(source.read_bytes())
    return key.hexdigest()
