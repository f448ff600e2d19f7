"""Every picture decoded once, on all cores, into one uint8 array, and kept in a cache."""

import hashlib
import os
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.markup import escape
from rich.progress import track

import app.imaging
from app.imaging import PictureError, Pixels, View, decode, to_input
from training import DataError, folders
from training.folders import NONE, written

NO_CLASS = -1  # the label of extra pictures that are none of the classes
MAX_UNREADABLE_SHARE = 0.01
MIN_FILES = 3  # one to train, one to validate and one to test
FILES_PER_TASK = 64

Indices = npt.NDArray[np.intp]
Arrays = dict[str, npt.NDArray[Any]]  # by name


@dataclass(frozen=True)
class Pictures:
    """n readable pictures in natural file order, class after class."""

    root: Path
    classes: list[str]
    paths: npt.NDArray[np.str_]  # (n,) relative to root
    labels: Indices  # (n,) positions in classes, or NO_CLASS
    origins: npt.NDArray[np.str_]  # (n,) such as extra/Hand/clinic of the user's own, empty of the data set
    inputs: Pixels  # (n, size, size, 1)
    hashes: npt.NDArray[np.str_]  # (n,) sha256 of the decoded pixels, before any resizing
    kinds: npt.NDArray[np.str_]  # (n,) such as "JPEG L 64×64"
    unreadable: npt.NDArray[np.str_]  # paths left out, each with its reason

    def duplicates(self) -> int:
        """How many pictures repeat an earlier one exactly."""
        return len(self.hashes) - len(np.unique(self.hashes))

    def report(self) -> Iterator[str]:
        """What a person should know before training on these."""
        for index, name in enumerate(self.classes):
            yield f"{name}: {np.count_nonzero(self.labels == index):,} pictures"
        for kind, count in Counter(self.kinds.tolist()).most_common(5):
            yield f"{count:,} are {kind}"
        yield f"{self.duplicates():,} are exact duplicates of another"
        in_classes = Counter(digest for digest, _ in set(zip(self.hashes.tolist(), self.labels.tolist(), strict=True)))
        if shared := sum(count > 1 for count in in_classes.values()):
            yield f"warning: {shared:,} pictures stand in more than one class"
        for reason in self.unreadable:
            yield f"left out: {reason}"


def load(root: Path, view: View, cache: Path, least: int = 2) -> Pictures:
    """Decode everything under `root`, `least` classes or more, or take it from the cache. Raises DataError."""
    classes, paths, labels = listing(root, least)
    files = [f"{path} {(status := (root / path).stat()).st_size} {status.st_mtime_ns}" for path in paths]
    arrays = cached(cache, [f"{root.resolve()} {view}", *files], partial(_decode_all, root, paths, view))
    unreadable = [f"{written(paths[i])} ({arrays['errors'][i]})" for i in np.flatnonzero(arrays["errors"] != "")]
    keep = arrays["errors"] == "" if unreadable else slice(None)  # which copies nothing
    _check(classes, labels, labels[keep], unreadable)
    chosen = {name: arrays[name][keep] for name in ("inputs", "hashes", "kinds")}
    chosen |= {"paths": np.array(paths)[keep], "labels": labels[keep], "origins": np.full(len(chosen["hashes"]), "")}
    return Pictures(root, classes, unreadable=np.array(unreadable), **chosen)


def join(main: Pictures, extra: Pictures) -> Pictures:
    """Both, `extra` behind `main`: its classes are found by name or added, and its folder "none" holds strangers."""
    classes = folders.join(main.classes, extra.classes)
    places = np.array([NO_CLASS if name == NONE else classes.index(name) for name in extra.classes], np.intp)
    paths = np.char.add("extra/", extra.paths)
    return Pictures(
        root=main.root,
        classes=classes,
        paths=np.concatenate([main.paths, paths]),
        labels=np.concatenate([main.labels, places[extra.labels]]),
        origins=np.concatenate([main.origins, [_origin(path) for path in paths.tolist()]]),
        **{
            name: np.concatenate([getattr(main, name), getattr(extra, name)])
            for name in ("inputs", "hashes", "kinds", "unreadable")
        },
    )


def _origin(path: str) -> str:
    """The first sub-folder of the class that it lies in, or else the class."""
    return "/".join(path.split("/")[:-1][:3])


def listing(root: Path, least: int) -> tuple[list[str], list[str], Indices]:
    """The classes under `root`, every file and its class, before any is opened. Raises DataError."""
    classes = folders.classes(root)
    if len(classes) < least:
        raise DataError(f"{root} needs at least {least} class folders; it has {len(classes)}.")
    paths, labels = [], []
    for index, (name, folder) in enumerate(classes.items()):
        names = sorted((path.relative_to(root).as_posix() for path in folders.files(folder)), key=_natural)
        if len(names) < MIN_FILES:
            raise DataError(f"The class {name} has too few pictures for train, val and test: {len(names)}.")
        paths += names
        labels += [index] * len(names)
    return [*classes], paths, np.array(labels, np.intp)


def _natural(name: str) -> list[tuple[int, str]]:
    """10 after 9: files are numbered scan by scan, and neighbours must stay neighbours."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _check(classes: list[str], listed: Indices, kept: Indices, unreadable: list[str]) -> None:
    if len(unreadable) > MAX_UNREADABLE_SHARE * len(listed):
        raise DataError(f"{len(unreadable)} of {len(listed)} files cannot be read, the first is {unreadable[0]}.")
    for index, name in enumerate(classes):
        if index not in kept:
            raise DataError(f"The class folder {name} holds no readable picture.")


def _decode_all(root: Path, paths: list[str], view: View) -> Arrays:
    with ProcessPoolExecutor() as pool:
        results = pool.map(partial(_decode_one, root, view), paths, chunksize=FILES_PER_TASK)
        columns = zip(*track(results, _decoding(root, view), total=len(paths)), strict=True)
        return dict(zip(("inputs", "hashes", "kinds", "errors"), map(np.array, columns), strict=True))


def _decoding(root: Path, view: View) -> str:
    """What the bar of progress is headed: one folder may be decoded for more than one view."""
    window = f", CT window {view.ct_window[0]:g}/{view.ct_window[1]:g}" if view.ct_window else ""
    return escape(f"decoding {root.name} at {view.size}×{view.size}{window}")


def _decode_one(root: Path, view: View, path: str) -> tuple[Pixels, str, str, str]:
    try:
        picture = decode((root / path).read_bytes(), ct_window=view.ct_window)
    except (PictureError, OSError) as error:
        return np.zeros((view.size, view.size, 1), np.uint8), "", "", str(error)
    height, width = picture.pixels.shape
    digest = hashlib.sha256(f"{height}x{width}:".encode() + picture.pixels.tobytes()).hexdigest()
    return to_input(picture, view.size), digest, f"{picture.format} {picture.mode} {width}×{height}", ""


def cached(cache: Path, about: Iterable[str], decode_all: Callable[[], Arrays]) -> Arrays:
    """What `decode_all` gives for the files that `about` names; kept in `cache` until these or the decoder change."""
    key = hashlib.sha256()
    for source in sorted(Path(app.imaging.__path__[0]).rglob("*.py")):
        key.update(source.read_bytes())
    for line in about:
        key.update(os.fsencode(f"{line}\n"))
    stored = cache / f"{key.hexdigest()[:32]}.npz"
    arrays = _restore(stored)
    if arrays is None:
        arrays = decode_all()
        _store(stored, arrays)
    return arrays


def _restore(stored: Path) -> Arrays | None:
    try:
        with stored.open("rb") as file, np.load(file) as arrays:  # each member is checked against its CRC
            return dict(arrays)
    except (OSError, ValueError, zipfile.BadZipFile, EOFError):
        return None


def _store(stored: Path, arrays: Arrays) -> None:
    stored.parent.mkdir(parents=True, exist_ok=True)
    scratch = stored.with_name(f".{stored.stem}-{token_hex(8)}.npz")
    try:
        np.savez(scratch, allow_pickle=False, **arrays)
        scratch.replace(stored)
    finally:
        scratch.unlink(missing_ok=True)
