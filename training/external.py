"""Pictures from elsewhere, to see how a bundle fares outside its own data.

<folder>/in/<class>/…            pictures of the bundle's classes
<folder>/off_protocol/<class>_<view>/…   views the training data never shows: the class or a refusal is right
<folder>/out/<kind>/…            none of the classes
<folder>/provenance.csv          optional: `file` and `source` columns
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.imaging import PictureError, Pixels, decode, to_input
from training import DataError
from training.datasets import Indices

GROUPS = ("in", "off_protocol", "out")


@dataclass(frozen=True)
class External:
    """n pictures, their group, kind (the folder's name), class (-1: none of them) and source."""

    inputs: Pixels  # (n, size, size, 1)
    groups: npt.NDArray[np.str_]
    kinds: npt.NDArray[np.str_]
    labels: Indices
    sources: npt.NDArray[np.str_]


def read(folder: Path, classes: list[str], size: int) -> External:
    """Every picture below `folder`. Raises DataError where one cannot be read or a class is unknown."""
    files = sorted(path for group in GROUPS for path in (folder / group).glob("*/*") if path.is_file())
    if not files:
        raise DataError(f"{folder} has no pictures under {', '.join(GROUPS)}.")
    sources = _sources(folder / "provenance.csv")
    names = [path.relative_to(folder).as_posix() for path in files]
    return External(
        inputs=np.stack([_input(path, size) for path in files]),
        groups=np.array([name.split("/")[0] for name in names]),
        kinds=np.array([name.split("/")[1] for name in names]),
        labels=np.array([_label(name, classes) for name in names], np.intp),
        sources=np.array([sources.get(name, "unknown") for name in names]),
    )


def _input(path: Path, size: int) -> Pixels:
    try:
        return to_input(decode(path.read_bytes()), size)
    except PictureError as error:
        raise DataError(f"{path}: {error}") from error


def _label(name: str, classes: list[str]) -> int:
    group, kind = name.split("/")[:2]
    if group == "out":
        return -1
    label = kind.split("_")[0] if group == "off_protocol" else kind
    if label not in classes:
        raise DataError(f"{group}/{kind} is none of the bundle's classes.")
    return classes.index(label)


def _sources(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    with path.open(newline="") as file:
        return {row["file"]: row["source"].split("@")[0] for row in csv.DictReader(file)}
