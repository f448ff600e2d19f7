"""Zips, tars and packed files, each for itself: what it holds and where, however its writer or a copy went wrong."""

import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from posixpath import dirname, join, normpath
from typing import IO, NamedTuple, Protocol

MAX_FILE_BYTES = 512 * 2**20
MAX_HEADER_BYTES = 2**20  # of a long name or attributes, which come before a member of a tar
MAX_LINKS = 40  # from one to the next, as Linux has it
MAX_TARGET_BYTES = 4096  # of a link's target

UNPACKING_ERRORS = EOFError, OSError, zlib.error, lzma.LZMAError
ZIP_METHODS = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA
ENCRYPTED = 1  # of a zip member's flags

DAMAGED = "The archive is damaged or cut short."
DAMAGED_MEMBER = "The member is damaged or cut short."
ENCRYPTED_MEMBER = "The member is encrypted."
NO_FILE = "A pipe, a socket or a device is no file."
NO_TARGET = "The link leads to no file of the archive."
TOO_LARGE = f"The file has more than {MAX_FILE_BYTES:,} bytes."
TOO_MUCH = "The archive unpacks to too many bytes for its size."
UNKNOWN_METHOD = "The member is compressed in a way that is not read here."


class Entry(NamedTuple):
    """A file in a container, or the container itself where it has no name."""

    name: str | None
    place: int = 0  # where `read` finds it
    fault: str = ""  # why it cannot be read, where that is known
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
                return _from_root(info.filename, packed.read(MAX_TARGET_BYTES).decode())
        except Exception:  # as many kinds as for any member
            return ""

    def name(self, place: int) -> str:
        return self._zip.infolist()[place].filename

    def read(self, place: int) -> bytes:
        with self._zip.open(self._zip.infolist()[place]) as packed:  # by a name the last of that name would come
            return packed.read(MAX_FILE_BYTES + 1)


class Tar:
    """Read header by header: tarfile's own way ends at the first that is damaged, and says nothing."""

    def __init__(self, file: IO[bytes], packed: bool) -> None:
        self._file, self._packed = file, packed
        self._bytes = 0 if packed else file.seek(0, io.SEEK_END)
        self._guarded = _Headers(file)
        self._tar = tarfile.TarFile(fileobj=io.BytesIO(bytes(tarfile.BLOCKSIZE)))  # which stops at a bad first header

    def entries(self, budget: Budget) -> Iterator[Entry]:
        files: dict[str, Entry] = {}  # so far: a hard link leads to the last of that name before it
        for info in self._headers(budget):
            if isinstance(info, Entry):
                yield info
            elif not info.isdir():
                files[normpath(info.name)] = entry = self._entry(info, files)
                yield entry

    def _entry(self, info: tarfile.TarInfo, files: dict[str, Entry]) -> Entry:
        if info.isdev():
            return Entry(info.name, fault=NO_FILE)
        if info.issym():
            return Entry(info.name, target=_from_root(info.name, info.linkname))
        if info.islnk():
            return files.get(normpath(info.linkname), NOTHING)._replace(name=info.name)
        return Entry(info.name, info.offset, TOO_LARGE if info.size > MAX_FILE_BYTES else "")

    def _headers(self, budget: Budget) -> Iterator[tarfile.TarInfo | Entry]:
        """Also those behind a damaged one, and behind an end: tars may stand one after the other."""
        at, ended, damaged = 0, False, False
        most = budget.left if self._packed else self._bytes
        while at <= most:
            try:
                info = self._header(at)
            except UNPACKING_ERRORS:
                damaged = True
                break
            except Exception:  # a header fails in as many ways as it has fields
                if not self._guarded.block:
                    break
                ended = not any(self._guarded.block)  # two blocks of zeros are an end; one is taken for it
                damaged |= not ended
                at = max(at + tarfile.BLOCKSIZE, self._file.tell())  # no block is gone through twice
            else:
                at, ended = self._tar.offset, False
                yield info
        budget.left -= self._bytes or self._file.tell()
        if damaged or not ended:
            yield Entry(None, fault=TOO_MUCH if self._packed and at > most else DAMAGED)

    def _header(self, at: int) -> tarfile.TarInfo:
        self._tar.fileobj = self._guarded  # type: ignore[assignment]
        self._file.seek(at)
        info = tarfile.TarInfo.fromtarfile(self._tar)
        if info.size < 0 or self._tar.offset <= at:
            raise tarfile.HeaderError("a negative size")
        return info

    def name(self, place: int) -> str:
        return self._header(place).name

    def read(self, place: int) -> bytes:
        info = self._header(place)
        self._tar.fileobj = self._file
        with tarfile.ExFileObject(self._tar, info) as member:
            return member.read(MAX_FILE_BYTES + 1)


class _Headers:
    """The file of a tar while headers are read, which get no more than a header needs; with what was read last."""

    def __init__(self, file: IO[bytes]) -> None:
        self._read, self.seek, self.tell = file.read, file.seek, file.tell

    def read(self, size: int) -> bytes:
        self.block = b"?"
        if not 0 <= size <= MAX_HEADER_BYTES:
            raise tarfile.HeaderError(f"a header of {size} bytes")
        self.block = self._read(size)
        return self.block


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


def _from_root(name: str, target: str) -> str:
    return normpath(join(dirname(name), target))
