"""Which picture trains, which validates and which tests; exact duplicates always go the same way.

Files are numbered scan by scan, so neighbours show the same patient: a random split leaks, blocks do not.
"""

import csv
import gzip
import hashlib
import io
import shutil
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from training.config import DataError
from training.datasets import Indices, Pictures

SPLITS = ("train", "val", "test")
SHARES = (0.8, 0.1, 0.1)
BLOCKS = 20  # contiguous blocks a class; each block goes to one split whole

Method = Literal["blocked", "random"]
Assignment = npt.NDArray[np.str_]  # (n,) of SPLITS


def assign(pictures: Pictures, method: Method, seed: int) -> Assignment:
    """One of SPLITS for each picture. Raises DataError where a class has too few for three splits."""
    assigned = np.empty(len(pictures.labels), "<U5")
    for index in range(len(pictures.classes)):
        members = np.flatnonzero(pictures.labels == index)
        assigned[members] = _assign_class(len(members), method, np.random.default_rng([seed, index]))
    assigned = _together(pictures.hashes, assigned)
    for index, name in enumerate(pictures.classes):
        if set(assigned[pictures.labels == index].tolist()) != set(SPLITS):
            raise DataError(f"The class {name} has too few different pictures for {', '.join(SPLITS)}.")
    return assigned


def _assign_class(count: int, method: Method, rng: np.random.Generator) -> Assignment:
    groups = min(BLOCKS, count) if method == "blocked" else count
    held_out = max(1, round(groups * SHARES[1]))
    names = np.repeat(np.array(SPLITS), [max(0, groups - 2 * held_out), held_out, held_out])[:groups]
    rng.shuffle(names)
    return names[np.arange(count) * groups // count]


def _together(hashes: npt.NDArray[np.str_], assigned: Assignment) -> Assignment:
    """Give every copy of a picture the split of its first copy."""
    _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    return assigned[first][inverse]


def manifest_csv(pictures: Pictures, assigned: Assignment) -> str:
    """path, class, split and pixel sha256, a line a picture: enough for anyone with the files to repeat the split."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "class", "split", "sha256"))
    names = np.array(pictures.classes)[pictures.labels]
    writer.writerows(zip(pictures.paths, names, assigned, pictures.hashes, strict=True))
    return text.getvalue()


def digest(manifest: str) -> str:
    return hashlib.sha256(manifest.encode()).hexdigest()


def compress(manifest: str) -> bytes:
    return gzip.compress(manifest.encode(), mtime=0)


def lay_out(pictures: Pictures, assigned: Assignment, out: Path) -> dict[str, Path]:
    """train_dir/, val_dir/ and test_dir/ under `out`, class folders inside, each file a link or else a copy."""
    folders = {name: out / f"{name}_dir" for name in SPLITS}
    for folder in folders.values():
        if folder.exists():
            raise DataError(f"{folder} exists already; choose another --out.")
    for path, name in zip(pictures.paths.tolist(), assigned.tolist(), strict=True):
        _place((pictures.root / path).resolve(), folders[name] / path)
    (out / "manifest.csv").write_text(manifest_csv(pictures, assigned))
    _check_layout(pictures, assigned, folders)
    return folders


def _place(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.symlink_to(file)
    except OSError:  # a file system without links
        shutil.copy2(file, target)


def _check_layout(pictures: Pictures, assigned: Assignment, folders: dict[str, Path]) -> None:
    for name, folder in folders.items():
        if sorted(path.name for path in folder.iterdir()) != pictures.classes:
            raise DataError(f"{folder} does not have every class.")
        if shared := set(pictures.hashes[assigned == name]) & set(pictures.hashes[assigned != name]):
            raise DataError(f"{len(shared)} pictures stand in {folder} and in another split.")


def rows(assigned: Assignment, name: str) -> Indices:
    return np.flatnonzero(assigned == name)
