"""Which picture trains, which validates and which tests; exact duplicates always go the same way.

Files are numbered scan by scan, so neighbours show the same patient: a random split leaks, blocks do not.
"""

import csv
import io
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from app.imaging import Pixels
from training import DataError, datasets
from training.datasets import NO_CLASS, Indices, Pictures
from training.folders import NONE, written

SPLITS = ("train", "val", "test")
SPLIT_SHARES = (0.8, 0.1, 0.1)
SIDE = 64  # pixels; pictures are laid out, changed and judged at no less
BLOCKS_PER_CLASS = 20  # contiguous; each goes to one split whole

Method = Literal["blocked", "random"]
Assignment = npt.NDArray[np.str_]  # (n,) of SPLITS


@dataclass(frozen=True)
class Split:
    """Pictures and the part each of them plays."""

    pictures: Pictures
    method: Method | Literal["listed"]
    seed: int
    assigned: Assignment

    def rows(self, name: str) -> Indices:
        """Positions of the pictures of one of SPLITS, strangers left out."""
        return np.flatnonzero((self.assigned == name) & (self.pictures.labels != NO_CLASS))

    def extra(self, name: str, strangers: bool) -> Indices:
        """Positions of the user's own among them, of the classes or of none."""
        chosen = (self.assigned == name) & (self.pictures.origins != "")
        return np.flatnonzero(chosen & ((self.pictures.labels == NO_CLASS) == strangers))

    def of_no_class(self, name: str) -> Pixels:
        """The extra pictures of one of SPLITS that are none of the classes, (n, size, size, 1)."""
        return np.asarray(self.pictures.inputs[(self.assigned == name) & (self.pictures.labels == NO_CLASS)])

    def arrays(self, rows: Indices) -> tuple[Pixels, npt.NDArray[np.float32]]:
        """Copies of the inputs (n, size, size, 1), and one-hot targets (n, classes)."""
        one_hot = np.eye(len(self.pictures.classes), dtype=np.float32)
        return self.pictures.inputs[rows], one_hot[self.pictures.labels[rows]]

    def listing(self) -> str:
        """path, class, split and pixel sha256 as CSV: enough for anyone with the files to repeat the split."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("path", "class", "split", "sha256"))
        names = np.array([*self.pictures.classes, NONE])[self.pictures.labels]  # NO_CLASS is the last
        writer.writerows(zip(_names(self.pictures), names, self.assigned, self.pictures.hashes, strict=True))
        return text.getvalue()


def make(pictures: Pictures, method: Method, seed: int) -> Split:
    """Assign every picture. Raises DataError where a class has too few for three splits."""
    assigned = np.empty(len(pictures.labels), "<U5")
    for index in range(len(pictures.classes)):
        members = np.flatnonzero(pictures.labels == index)
        assigned[members] = _assign_class(len(members), method, np.random.default_rng([seed, index]))
    assigned = _together(pictures.hashes, assigned)
    for index, name in enumerate(pictures.classes):
        if set(assigned[pictures.labels == index].tolist()) != set(SPLITS):
            raise DataError(f"The class {name} has too few different pictures for {', '.join(SPLITS)}.")
    return Split(pictures, method, seed, assigned)


def join(main: Split, extra: Split) -> Split:
    """Both, each split by itself; a picture that stands in both goes where its first copy goes."""
    pictures = datasets.join(main.pictures, extra.pictures)
    assigned = _together(pictures.hashes, np.concatenate([main.assigned, extra.assigned]))
    return Split(pictures, main.method, main.seed, assigned)


def restore(pictures: Pictures, listing: str, title: str) -> Split:
    """The split that a bundle's `listing` tells. Raises DataError where a picture is missing or differs."""
    listed = {row["path"]: (row["sha256"], row["split"]) for row in csv.DictReader(io.StringIO(listing))}
    found = dict(zip(_names(pictures), pictures.hashes.tolist(), strict=True))
    if lost := [path for path, (digest, _) in listed.items() if found.get(path) != digest]:
        raise DataError(
            f"{len(lost):,} of the {len(listed):,} pictures of {title} are missing or differ, such as {lost[0]}; "
            "give those it was trained on with --data, and --extra if there were some."
        )
    assigned = np.array([listed.get(path, ("", ""))[1] for path in _names(pictures)])
    return Split(pictures, "listed", 0, assigned)


def _names(pictures: Pictures) -> list[str]:
    return [written(path) for path in pictures.paths.tolist()]


def _assign_class(count: int, method: Method, rng: np.random.Generator) -> Assignment:
    groups = min(BLOCKS_PER_CLASS, count) if method == "blocked" else count
    held_out = max(1, round(groups * SPLIT_SHARES[1]))
    names = np.repeat(np.array(SPLITS), [max(0, groups - 2 * held_out), held_out, held_out])[:groups]
    rng.shuffle(names)
    return names[np.arange(count) * groups // count]


def _together(hashes: npt.NDArray[np.str_], assigned: Assignment) -> Assignment:
    """Give every copy of a picture the split of its first copy."""
    _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    return assigned[first][inverse]


def lay_out(split: Split, out: Path) -> dict[str, Path]:
    """train_dir/, val_dir/ and test_dir/ under `out`, class folders inside, each file a link or else a copy."""
    folders = {name: out / f"{name}_dir" for name in SPLITS}
    for folder in folders.values():
        if folder.exists():
            raise DataError(f"{folder} exists already; choose another --out.")
    for path, name in zip(split.pictures.paths.tolist(), split.assigned.tolist(), strict=True):
        _place((split.pictures.root / path).resolve(), folders[name] / path)
    (out / "manifest.csv").write_text(split.listing())
    return folders


def _place(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.symlink_to(file)
    except OSError:  # a file system without links
        shutil.copy2(file, target)
