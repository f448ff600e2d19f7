"""What holds files, each for itself: a zip, a packed file; what it holds and where, however its writer or a copy went wrong."""

import io
import stat
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from posixpath import dirname, join, normpath
from typing import IO, NamedTuple, Protocol

from app.imaging import Kind

MAX_FILE_BYTES = 512 * 2**20
MAX_LINKS = 40  # from one to the next, as Linux has it
MAX_TARGET_BYTES = 4096  # of a link's target

ZIP_METHODS = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA
ENCRYPTED = 1  # of a zip member's flags


class Fault(NamedTuple):
    """Why a file gives no bytes."""

    sentence: str
    kind: Kind = Kind.UNREADABLE


def too_large(most: int) -> Fault:
    """Of a file that has more bytes than are read."""
    return Fault(f"The file has more than {most:,} bytes.")


DAMAGED = Fault("The archive is damaged or cut short.")
DAMAGED_MEMBER = Fault("The member is damaged or cut short.")
ENCRYPTED_MEMBER = Fault("The member is encrypted.")
NO_FILE = Fault("A pipe, a socket or a device is no file.", Kind.NOT_A_PICTURE)
NO_TARGET = Fault("The link leads to no file of the archive.")
TOO_LARGE = too_large(MAX_FILE_BYTES)
TOO_MUCH = Fault("The archive unpacks to too many bytes for its size.")
UNKNOWN_METHOD = Fault("The member is compressed in a way that is not read here.")


class Entry(NamedTuple):
    """A file in a container, or the container itself where it has no name."""

    name: str | None
    place: int = 0  # where `read` finds it
    fault: Fault | None = None  # why it cannot be read, where that is known
    target: str = ""  # of a symbolic link, from the container's root


NOTHING = Entry("", fault=NO_TARGET)


@dataclass(slots=True)
class Budget:
    """Bytes that may yet be gone through to list an archive and all in it."""

    left: int


class Container(Protocol):
    """What it holds, in the order it lies there; two of one name are two."""

    def entries(self, budget: Budget) -> Iterable[Entry]:
        """Files; behind them the container itself, should it be damaged."""

    def name(self, place: int) -> str: ...

    def read(self, place: int) -> bytes:
        """At most MAX_FILE_BYTES and one more. Raises whatever is wrong with it."""


class Zip:
    def __init__(self, file: IO[bytes]) -> None:
        self._bytes = file.seek(0, io.SEEK_END)
        self._zip = zipfile.ZipFile(file)

    def entries(self, budget: Budget) -> Iterator[Entry]:
        budget.left -= self._bytes
        for place, info in enumerate(self._zip.infolist()):
            if not info.filename.endswith("/") and (info.file_size or not info.filename.endswith("\\")):
                yield self._entry(info, place)

    def _entry(self, info: zipfile.ZipInfo, place: int) -> Entry:
        if info.flag_bits & ENCRYPTED:
            return Entry(info.filename, fault=ENCRYPTED_MEMBER)
        if info.compress_type not in ZIP_METHODS:
            return Entry(info.filename, fault=UNKNOWN_METHOD)
        if info.file_size > MAX_FILE_BYTES:
            return Entry(info.filename, fault=TOO_LARGE)
        if stat.S_ISLNK(info.external_attr >> 16):
            return Entry(info.filename, target=self._target(info) or ".")
        return Entry(info.filename, place)

    def _target(self, info: zipfile.ZipInfo) -> str:
        try:
            with self._zip.open(info) as packed:
                return from_root(info.filename, packed.read(MAX_TARGET_BYTES).decode())
        except Exception:  # as many kinds as for any member
            return ""

    def name(self, place: int) -> str:
        return self._zip.infolist()[place].filename

    def read(self, place: int) -> bytes:
        with self._zip.open(self._zip.infolist()[place]) as packed:  # by a name the last of that name would come
            return packed.read(MAX_FILE_BYTES + 1)


class Packed:
    """One file, packed; or as it is, for some who send it on unpack it and leave its name."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file, self._name = file, name

    def entries(self, _: Budget) -> Iterator[Entry]:
        yield Entry(self._name)

    def name(self, _: int) -> str:
        return self._name

    def read(self, _: int) -> bytes:
        self._file.seek(0)
        return self._file.read(MAX_FILE_BYTES + 1)


def followed(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The file in the place of each symbolic link to it, for whoever unpacks the container finds it there."""
    found = list(entries)
    links = {normpath(entry.name): entry.target for entry in found if entry.name and entry.target}
    files = {normpath(entry.name): entry for entry in found if entry.name and not entry.target} if links else {}
    for entry in found:
        target = entry.target
        for _ in range(MAX_LINKS):
            if target in files or target not in links:
                break
            target = links[target]
        yield files.get(target, NOTHING)._replace(name=entry.name) if entry.target else entry


def from_root(name: str, target: str) -> str:
    return normpath(join(dirname(name), target))
