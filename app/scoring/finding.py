"""Every file under what was asked for, once: folders, globs and archives."""

import glob
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

from app.scoring import ScoringError, archives
from app.scoring.containers import NO_FILE, Fault
from app.scoring.files import File

TWO_STARS = re.compile(r"(|.*?/)\*\*(?:/+(.*))?", re.DOTALL)
NOT_ENTERED = Fault("The folder cannot be entered.")

Identity = tuple[int, int]  # of a folder: its device and inode


class _Reached:
    """What was gone through or named before, whichever way led there."""

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        self.folders: set[Identity] = set()
        self.names: defaultdict[Identity, set[str]] = defaultdict(set)  # by folder, of files that were named themselves
        for path in paths:
            self.is_new(path)
            if path.is_dir():
                self.folders.add(_identity(path))

    def is_new(self, path: Path) -> bool:
        try:
            folder = _identity(path.parent)
        except OSError:  # which reading it will meet again
            return True
        if folder in self.folders or path.name in self.names[folder]:
            return False
        self.names[folder].add(path.name)
        return True


def find(patterns: Iterable[str], but: Iterable[Path] = ()) -> Iterator[File]:
    """Every file but those, once, in the order of names, under the name that leads to it first. Raises ScoringError."""
    reached = _Reached(but)
    for pattern in patterns:
        paths = [pattern] if Path(pattern).exists() else sorted(_expand(pattern))
        if not paths:
            raise ScoringError(f"Nothing is at {pattern}.")
        for path in paths:
            for file in _walk(Path(path), reached):
                if file.fault or not archives.is_archive(file.path.name):
                    yield file
                else:
                    yield from _members(file)


def _expand(pattern: str) -> Iterator[str]:
    """What a glob means; two stars in it are every folder below, once, where glob itself runs in circles along links."""
    if not (found := TWO_STARS.fullmatch(pattern)):
        yield from glob.glob(pattern)  # noqa: PTH207 patterns may be absolute
        return
    above, rest = found.groups()
    for top in _expand(above) if above else ["."]:
        if not rest:
            yield top
            continue
        for folder, entries in _folders(Path(top), _Reached()):
            yield from [str(folder)] if entries is None else _expand(f"{glob.escape(str(folder))}/{rest}")


def _walk(path: Path, reached: _Reached) -> Iterator[File]:
    if not os.path.isdir(path):  # noqa: PTH112 Path's raises where it may not look
        if reached.is_new(path):
            yield File(path, fault=_fault(path))
        return
    for folder, entries in _folders(path, reached):
        if entries is None:
            yield File(folder, fault=NOT_ENTERED)
            continue
        for entry in entries:
            yield File(Path(entry.path), fault=_fault(entry))


def _folders(top: Path, reached: _Reached) -> Iterator[tuple[Path, list[os.DirEntry[str]] | None]]:
    """Folders, linked ones too, each with what else is in it; None where it may not be entered."""
    left = [top]
    while left:
        folder = left.pop()
        try:
            if (identity := _identity(folder)) in reached.folders:
                continue
            reached.folders.add(identity)
            with os.scandir(folder) as found:
                entries = sorted(found, key=attrgetter("name"))
        except OSError:
            yield folder, None
            continue
        below: list[Path] = []
        others: list[os.DirEntry[str]] = []
        skipped = reached.names.get(identity, ())
        for entry in entries:
            if entry.name not in skipped:
                if _is_folder(entry):
                    below.append(Path(entry.path))
                else:
                    others.append(entry)
        yield folder, others
        left += reversed(below)


def _identity(folder: Path) -> Identity:
    found = folder.stat()
    return found.st_dev, found.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links in a circle
        return False


def _fault(path: Path | os.DirEntry[str]) -> Fault | None:
    """What is wrong with it that opening it would not tell: a pipe nobody writes to can be waited on for ever."""
    try:
        return None if path.is_file() or not path.stat() else NO_FILE
    except OSError:
        return None


def _members(file: File) -> list[File]:
    """What an archive holds; one that cannot be read stands for itself."""
    try:
        return _told_apart([File(file.path, *member) for member in archives.members(file.path)])
    except OSError:
        return [file]


def _told_apart(files: list[File]) -> list[File]:
    """Members of one name get #2, #3 and so on behind it, save where that is another's name."""
    taken, counts = {file.name for file in files}, Counter[str]()
    return files if len(taken) == len(files) else [_renamed(file, taken, counts) for file in files]


def _renamed(file: File, taken: set[str], counts: Counter[str]) -> File:
    name = file.name
    counts[name] += 1
    if counts[name] == 1:
        return file
    while f"{name}#{counts[name]}" in taken:
        counts[name] += 1
    return replace(file, member=f"{file.member}#{counts[name]}")
