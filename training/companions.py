"""Real pictures from other places, learned from beside the data set and, where they are held out, judged on.

`companions.csv` lists them with address, checksum and licence. They are fetched or found in a folder, and decoded, once.
"""

import csv
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.progress import track

from app.imaging import Pixels
from training import DataError, datasets, decoding, folders, source
from training.datasets import NO_CLASS, Indices

LIST = Path(__file__).with_name("companions.csv")
CLASSES = {"AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT"}  # Medical MNIST's, which the list is of
MAX_GONE_SHARE = 0.02  # of all
MAX_GONE_SHARE_OF_CLASS = 0.2

Row = dict[str, str]


@dataclass(frozen=True)
class Companions:
    """n pictures, each with its row of the list."""

    classes: list[str]
    rows: list[Row]  # (n,)
    inputs: Pixels  # (n, 64, 64, 1), upright, as the service would see them
    hounsfield: decoding.Hounsfield  # (m, 256, 256), in Hounsfield units, of those that are in these
    hounsfield_rows: Indices  # (m,) which of the n these are
    gone: list[str]  # addresses where there is nothing any more
    sha256: str  # of the list

    @property
    def labels(self) -> Indices:
        """(n,) positions in classes, or NO_CLASS."""
        places = {name: index for index, name in enumerate(self.classes)} | {folders.NONE: NO_CLASS}
        return np.array([places[row["class"]] for row in self.rows], np.intp)

    @property
    def kinds(self) -> npt.NDArray[np.str_]:
        return self._column("kind")

    @property
    def origins(self) -> npt.NDArray[np.str_]:
        return self._column("origin")

    @property
    def held_out(self) -> npt.NDArray[np.str_]:
        """(n,) why each is never trained on: "origin", "kind" or "picture"; empty where it is."""
        return self._column("held_out")

    def learned(self, strangers: bool) -> Indices:
        """Rows to learn from, of the classes or of none."""
        return np.flatnonzero((self.held_out == "") & ((self.labels == NO_CLASS) == strangers))

    def kept(self, strangers: bool) -> Indices:
        """Rows that are held out, of the classes or of none."""
        return np.flatnonzero((self.held_out != "") & ((self.labels == NO_CLASS) == strangers))

    def _column(self, name: str) -> npt.NDArray[np.str_]:
        return np.array([row[name] for row in self.rows])

    def counts(self) -> dict[str, dict[str, dict[str, int]]]:
        """How many are learned from and held out, by class and origin."""
        found: dict[str, dict[str, dict[str, int]]] = {}
        for row in self.rows:
            origins = found.setdefault(row["class"], {})
            origins.setdefault(row["origin"], {"learned": 0, "held_out": 0})[_part(row)] += 1
        return found

    def credits(self) -> dict[str, list[tuple[str, str]]]:
        """Licences and whom to name, by origin."""
        found: dict[str, dict[tuple[str, str], None]] = {}
        for row in self.rows:
            found.setdefault(row["origin"], {})[row["licence"], row["credit"]] = None
        return {origin: [*pairs] for origin, pairs in found.items()}

    def report(self) -> Iterator[str]:
        """What a person should know before training on these."""
        parts = Counter((row["class"], _part(row)) for row in self.rows)
        for name in dict.fromkeys(row["class"] for row in self.rows):
            yield f"companions, {name}: {parts[name, 'learned']:,} to learn from, {parts[name, 'held_out']:,} held out"
        for address in self.gone:
            yield f"left out: {address} is gone, or not what it was"


def choose(given: str | None, classes: list[str], cache: Path, say: Callable[[str], None]) -> Companions | None:
    """Those in the folder `given` or else fetched, after saying what they are; None for "none" and for other classes."""
    if given == folders.NONE:
        return None
    if given is None and not {*classes} >= CLASSES:
        say("no companions: they are of Medical MNIST's classes, and these are others")
        return None
    found = load(classes, Path(given) if given else None, cache)
    say("\n".join(found.report()))
    return found


def read(listed: Path = LIST) -> list[Row]:
    """The list's rows."""
    with listed.open(newline="", encoding="utf-8") as file:
        return [*csv.DictReader(file)]


def load(classes: list[str], folder: Path | None, cache: Path, listed: Path = LIST) -> Companions:
    """The companions of `classes` and strangers, from anywhere below `folder` or else fetched into `cache`.

    Raises DataError where too many are missing.
    """
    rows = [row for row in read(listed) if row["class"] in (*classes, folders.NONE)]
    paths = source.by_checksum(folder) if folder else _fetch(rows, cache / "companions")
    gone = [row for row in rows if row["sha256"] not in paths]
    _check(rows, gone)
    here = [row for row in rows if row["sha256"] in paths]
    sha256 = hashlib.sha256(listed.read_bytes()).hexdigest()
    about = [sha256, Path(decoding.__file__).read_text(), *(row["sha256"] for row in here)]
    arrays = datasets.cached(cache, about, partial(decoding.decode_all, here, paths))
    return Companions(classes, here, **arrays, gone=[row["address"] for row in gone], sha256=sha256)


def _part(row: Row) -> str:
    return "held_out" if row["held_out"] else "learned"


def _fetch(rows: list[Row], store: Path) -> dict[str, Path]:
    """What `store` has of them and what can be fetched. Raises DataError as soon as too many cannot."""
    listed, paths, gone = {row["sha256"]: row for row in rows}, {}, []
    with closing(source.fetch({name: row["address"] for name, row in listed.items()}, store)) as fetching:
        for sha256, path in track(fetching, "companions", total=len(listed)):
            if path:
                paths[sha256] = path
            else:
                gone.append(listed[sha256])
                _check(rows, gone)
    return paths


def _check(rows: list[Row], gone: list[Row]) -> None:
    listed, lost = (Counter(row["class"] for row in some) for some in (rows, gone))
    bare = any(lost[name] >= MAX_GONE_SHARE_OF_CLASS * listed[name] for name in lost)
    if bare or len(gone) > MAX_GONE_SHARE * len(rows):
        classes = ", ".join(f"{count:,} of {name}" for name, count in lost.items())
        raise DataError(
            f"Of {len(rows):,} companion pictures {len(gone):,} are missing ({classes}), such as {gone[0]['address']}; "
            "give a folder of them with --companions DIR, or do without them with --companions none."
        )
