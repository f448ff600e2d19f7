"""Tars, as they are after copies that were cut, programs that appended, and tapes."""

import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from posixpath import normpath
from typing import IO

from app.scoring.containers import (
    DAMAGED,
    MAX_FILE_BYTES,
    NO_FILE,
    NOTHING,
    TOO_LARGE,
    TOO_MUCH,
    Budget,
    Entry,
    from_root,
)

MAX_HEADER_BYTES = 2**20  # of a long name or attributes, which come before a member
UNPACKING_ERRORS = EOFError, OSError, zlib.error, lzma.LZMAError


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
            return Entry(info.name, target=from_root(info.name, info.linkname))
        if info.islnk():
            return files.get(normpath(info.linkname), NOTHING)._replace(name=info.name)
        return Entry(info.name, info.offset, TOO_LARGE if info.size > MAX_FILE_BYTES else None)

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
