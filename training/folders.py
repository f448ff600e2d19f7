"""Folders with a sub-folder a class: what of them is classes and pictures, and what other programs left there."""

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from unicodedata import category, normalize

from training import DataError

NONE = "none"  # the folder of extra pictures that are none of the classes

# Never a picture of the user's, whatever the case; neither is a hidden name, such as QNAP's .@__thumb and macOS' ._1.png
LEFT_BEHIND = {
    *("@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "~snapshot"),  # file servers
    *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini"),  # Windows
    *("$recycle.bin", "recycler", "recycled", "system volume information", "found.000"),
    *("__macosx", "icon\r", "network trash folder", "temporary items", "thevolumesettingsfolder"),  # macOS
    *("lost+found", "__pycache__"),
    "dicomdir",  # the index of a medium, a DICOM without pixels (PS3.10, 8.6)
}
STREAMS = (
    ":zone.identifier",
    ":encryptable",
    "@synoeastream",
    "@synoresource",
)  # what NTFS and Synology keep of a file

# A word of the name, in small letters: Training, train_dir, seg_train, testset, val2017, Fold 1; not trainer, invalid
SPLIT_NAME = re.compile(
    r"(?<![a-z])(train|val|test|dev|eval|hold\W?out|fold[\W_]*\d+)(ing|id|idation|uation)?(set|data|dir)?(?![a-z])"
)
SEPARATOR = re.compile(r"(?<=[^\W\d])[\s_-]+(?=\w)|(?<=\d)[\s_-]+(?=[^\W\d])")  # between words; 1-2 is not 12


def classes(folder: Path) -> dict[str, Path]:
    """The class folders by the names of their classes. Raises DataError where these are no classes or hardly differ."""
    found = folders(folder)
    _refuse_splits(found)
    named: dict[str, Path] = {}
    for path in found:
        name = class_name(path)
        if twins := _alike(name, named):
            raise DataError(f"{named[twins[0]]} and {path} differ in spelling alone; make one of them, or rename one.")
        named[name] = path
    return named


def class_name(path: Path) -> str:
    """What the pictures in a folder are called. Raises DataError where a bundle cannot say it."""
    name = normalize("NFC", path.name)
    if not name.strip() or any(category(letter) in ("Cc", "Cs") for letter in name):
        raise DataError(f"No class can be called {name!a}, as a folder in {path.parent} is; rename it.")
    return name


def join(known: list[str], extra: Collection[str]) -> list[str]:
    """The classes with those of the user's own behind them. Raises DataError where one of these may be meant for another."""
    if NONE in known:
        raise DataError(f"{NONE} is no class; pictures of none of the classes stand in {NONE}/ of an --extra folder.")
    added = [name for name in extra if name not in known]
    for name in added:
        if twins := [twin for twin in _alike(name, [*known, NONE]) if twin != name]:
            raise DataError(
                f"Is the extra folder {name} the class {twins[0]}? Call it so, or something else if it is not."
            )
    return known + [name for name in added if name != NONE]


def refuse_wrapped(extra: dict[str, Path], known: Collection[str]) -> None:
    """Raises DataError for the user's own classes in one more folder, which would be a class of all of them."""
    for name, path in extra.items():
        below = [inside.name for inside in folders(path) if inside.name in (*known, NONE)]
        if below and name not in known:
            raise DataError(f"{path} is no class but holds some ({', '.join(below)}); give --extra {path}.")


def folders(folder: Path) -> list[Path]:
    """Those directly in it."""
    return sorted(path for path in _inside(folder) if path.is_dir())


def files(folder: Path, within: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """Those anywhere below it, linked folders included; a link to a folder it lies in is not followed."""
    real = folder.resolve()
    if real in within:
        return
    for path in _inside(folder):
        if path.is_dir():
            yield from files(path, within | {real})
        elif path.is_file():
            yield path


def written(path: str) -> str:
    """As every system writes it: accents composed, which macOS takes apart, and bytes that are no UTF-8 escaped."""
    return normalize("NFC", os.fsencode(path).decode("utf-8", "backslashreplace"))


def _inside(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        name = path.name.lower()
        if not name.startswith(".") and name not in LEFT_BEHIND and not name.endswith(STREAMS):
            yield path


def _alike(name: str, others: Collection[str]) -> list[str]:
    return [other for other in others if _bare(other) == _bare(name)]


def _bare(name: str) -> str:
    """Without what people write now so, now so: case, and spaces, underscores and hyphens between words."""
    return SEPARATOR.sub("", normalize("NFKC", name).casefold().strip(" _"))


def _refuse_splits(found: list[Path]) -> None:
    """Raises DataError for train/, val/ and test/ with the classes below, or with nothing else beside them.

    Whoever made them may have kept patients apart, so they are not put together here.
    """
    parts = {path: match[1] for path in found if (match := SPLIT_NAME.search(path.name.lower()))}
    if len(set(parts.values())) > 1 and (any(map(folders, parts)) or len(parts) == len(found)):
        first = next((path for path, part in parts.items() if part == "train"), found[0])
        names = ", ".join(path.name for path in parts)
        raise DataError(
            f"{names} are splits, not classes; give one, such as {first}, or a folder with the classes of all."
        )
