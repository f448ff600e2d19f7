"""Pictures from elsewhere, to see how a bundle fares outside its own data.

<folder>/in/<class>/…            pictures of the bundle's classes
<folder>/off_protocol/<class>_<view>/…   views the training data never shows: the class or a refusal is right
<folder>/out/<kind>/…            none of the classes
<folder>/provenance.csv          optional: `file` and `source` columns
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.imaging import PictureError, Pixels, View, decode, to_input
from training import DataError, folders
from training.companions import Companions
from training.datasets import NO_CLASS, Indices
from training.decoding import rendered

GROUPS = ("in", "off_protocol", "out")


@dataclass(frozen=True)
class External:
    """n pictures, their group, kind (the folder's name), class (-1: none of them) and source."""

    inputs: Pixels  # (n, side, side, 1)
    groups: npt.NDArray[np.str_]
    kinds: npt.NDArray[np.str_]
    labels: Indices
    sources: npt.NDArray[np.str_]

    def of(self, group: str) -> "External":
        """Those of one group."""
        return External(*(getattr(self, field.name)[self.groups == group] for field in fields(self)))


def read(folder: Path, classes: list[str], view: View) -> External:
    """Every picture below `folder`. Raises DataError where one cannot be read or a class is unknown."""
    found = [*_pictures(folder)]
    if not found:
        raise DataError(f"{folder} has no pictures under {', '.join(GROUPS)}.")
    groups, kinds, files = zip(*found, strict=True)
    sources = _sources(folder / "provenance.csv")
    return External(
        labels=np.array([_label(*place, classes) for place in zip(groups, kinds, strict=True)], np.intp),
        inputs=np.stack([_input(path, view) for path in files]),
        groups=np.array(groups),
        kinds=np.array(kinds),
        sources=np.array([sources.get(path.relative_to(folder).as_posix(), "unknown") for path in files]),
    )


def held_out(companions: Companions, view: View) -> External:
    """Companions never trained on, as a network of that view sees them but for shrinking; an origin is a source."""
    rows, inputs = np.flatnonzero(companions.held_out != ""), companions.inputs.copy()
    if view.ct_window:
        inputs[companions.hounsfield_rows, :, :, 0] = rendered(companions.hounsfield, *view.ct_window)
    labels = companions.labels[rows]
    return External(
        inputs=inputs[rows],
        groups=np.where(labels == NO_CLASS, "out", "in"),
        kinds=companions.kinds[rows],
        labels=labels,
        sources=companions.origins[rows],
    )


def _pictures(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Group, kind and path of each."""
    for group in GROUPS:
        for kind in folders.folders(folder / group) if (folder / group).is_dir() else ():
            yield from ((group, folders.class_name(kind), path) for path in sorted(folders.files(kind)))


def _input(path: Path, view: View) -> Pixels:
    try:
        return to_input(decode(path.read_bytes(), ct_window=view.ct_window), view.size)
    except PictureError as error:
        raise DataError(f"{path}: {error}") from error


def _label(group: str, kind: str, classes: list[str]) -> int:
    if group == "out":
        return NO_CLASS
    meant = [name for name in classes if kind == name or (group == "off_protocol" and kind.startswith(f"{name}_"))]
    if not meant:
        raise DataError(f"{group}/{kind} is none of the bundle's classes, which are {', '.join(classes)}.")
    return classes.index(max(meant, key=len))  # of chest and chest_ct, the longer


def _sources(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # Excel begins with a byte order mark
            return {row["file"]: row["source"].split("@")[0] for row in csv.DictReader(file)}
    except (KeyError, AttributeError, ValueError) as error:
        raise DataError(f"{path} has no columns file and source, with commas between, in UTF-8.") from error
