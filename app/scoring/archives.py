"""What archives hold, and the archives in them."""

import bz2
import gzip
import io
import lzma
import re
import tarfile
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple
from weakref import finalize

from app import imaging
from app.imaging import Kind
from app.scoring.containers import (
    DAMAGED,
    MAX_FILE_BYTES,
    TOO_MUCH,
    Budget,
    Container,
    Entry,
    Fault,
    Packed,
    Zip,
    followed,
)
from app.scoring.tars import Tar

MAX_LEVELS = 2  # of archives, one in another
MAX_BYTES, MAX_RATIO = 4 * 2**30, 250  # to be gone through for a list of all levels: or so many times its size

TAR = re.compile(r"\.(tar(\.(gz|bz2|xz))?|tgz|tbz2?|txz)$", re.IGNORECASE)
PACKED = re.compile(r"(?<!\.tar)\.(gz|bz2|xz)$", re.IGNORECASE)  # one file
SUFFIXES = (".zip", ".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".gz", ".bz2", ".xz")
UNPACK: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}

EMPTY = Fault("The archive holds no files.", Kind.NOT_A_PICTURE)
TOO_DEEP = Fault(f"Archives are opened {MAX_LEVELS} levels deep, and this one lies deeper.")


class NoArchive(Exception):
    """A picture under the name of an archive."""


class Member(NamedTuple):
    """A file in an archive, or the archive itself where it has no name."""

    name: str | None
    places: tuple[int, ...] = ()  # its place in the archive, and in that which lies there
    fault: Fault | None = None  # why it cannot be read, where that is known


def is_archive(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


@lru_cache(maxsize=1024)
def is_packed(path: Path) -> bool:
    """Whether going back in an archive means to unpack it from its start."""
    try:
        with path.open("rb") as file:
            return file.read(6).startswith(tuple(UNPACK))
    except OSError:
        return False


def members(path: Path) -> Iterator[Member]:
    """What the archive at `path` holds, in order; itself where it is damaged, holds nothing or is none.

    Raises OSError where it cannot be read.
    """
    budget = Budget(max(MAX_BYTES, MAX_RATIO * path.stat().st_size))
    return _members(path, Member(None), path.name, budget)


def read(path: Path, places: tuple[int, ...]) -> bytes:
    """At most MAX_FILE_BYTES and one more. Raises whatever is wrong with the archive."""
    return _opened(path, places[:-1]).read(places[-1])


def _members(path: Path, archive: Member, own_name: str, budget: Budget) -> Iterator[Member]:
    for entry in _entries(path, archive.places, own_name, budget):
        if entry.name is None:
            yield archive._replace(fault=entry.fault)
            continue
        name = entry.name if archive.name is None else f"{archive.name}/{entry.name}"
        member = Member(name, (*archive.places, entry.place), entry.fault)
        if entry.fault or not is_archive(entry.name):
            yield member
        elif len(member.places) == MAX_LEVELS:
            yield member._replace(fault=TOO_DEEP)
        else:
            yield from _members(path, member, entry.name, budget)


def _entries(path: Path, places: tuple[int, ...], name: str, budget: Budget) -> list[Entry]:
    if budget.left < 0:
        return [Entry(None, fault=TOO_MUCH)]
    if PACKED.search(name):
        return [Entry(PACKED.sub("", name))]  # without a look into it: there may be many
    try:
        return [*followed(_opened(path, places).entries(budget))] or [Entry(None, fault=EMPTY)]
    except PermissionError:
        raise
    except NoArchive:
        return [Entry(None)]
    except Exception:  # archives fail in as many ways as pictures
        return [Entry(None, fault=DAMAGED)]


@lru_cache(maxsize=2)  # an archive and one in it
def _opened(path: Path, places: tuple[int, ...]) -> Container:
    file, name = _inner(path, places) if places else (path.open("rb"), path.name)
    try:
        container = _open(file, name)
    except BaseException:
        file.close()
        raise
    finalize(container, file.close)  # when it leaves the cache
    return container


def _inner(path: Path, places: tuple[int, ...]) -> tuple[IO[bytes], str]:
    outer = _opened(path, places[:-1])
    if len(data := outer.read(places[-1])) > MAX_FILE_BYTES:
        raise NoArchive
    return io.BytesIO(data), outer.name(places[-1])


def _open(file: IO[bytes], name: str) -> Container:
    """By its content; only the name tells a packed tar from any packed file."""
    start = file.read(tarfile.BLOCKSIZE)
    file.seek(0)
    unpacked = next((unpack(file) for magic, unpack in UNPACK.items() if start.startswith(magic)), None)
    if PACKED.search(name):
        return Packed(unpacked or file, PACKED.sub("", name))
    if unpacked:
        return Tar(unpacked, packed=True)
    if _begins_a_tar(start):
        return Tar(file, packed=False)
    if imaging.BEGINNINGS.match(start).lastgroup != "NONE":  # type: ignore[union-attr]
        raise NoArchive
    return Tar(file, packed=False) if TAR.search(name) and not start.startswith(b"PK") else Zip(file)


def _begins_a_tar(start: bytes) -> bool:
    try:
        return bool(tarfile.TarInfo.frombuf(start, tarfile.ENCODING, "surrogateescape"))
    except tarfile.HeaderError:
        return False
