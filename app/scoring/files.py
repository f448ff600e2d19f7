"""Every file under what was asked for: folders, globs, zips and tars."""

import glob
import os
import re
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

from app.scoring import ScoringError

MAX_FILE_BYTES = 512 * 2**20
CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


class Unreadable(Exception):
    """A file or member that gives no bytes; the message is one plain sentence."""


@dataclass(frozen=True, slots=True)
class File:
    """A file, or a member of an archive."""

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """What the table calls it: the path, and a member's path below that of its archive, in printable letters."""
        name = os.fsencode(self.path if self.member is None else f"{self.path}/{self.member}")
        text = name.decode("utf-8", "backslashreplace")
        return CONTROL_CHARACTER.sub(lambda found: f"\\x{ord(found[0]):02x}", text)

    def read(self) -> bytes:
        """The file's bytes. Raises Unreadable, also where there are more than MAX_FILE_BYTES."""
        try:
            if self.member is None:
                with open(self.path, "rb", buffering=0) as plain:  # noqa: PTH123 Path.open takes longer than a small file
                    fits = os.fstat(plain.fileno()).st_size <= MAX_FILE_BYTES
                    data = plain.read() if fits else plain.read(MAX_FILE_BYTES + 1)
            else:
                with _open_member(self.path, self.member) as packed:
                    data = packed.read(MAX_FILE_BYTES + 1)
        except Exception as error:  # archives fail in as many ways as pictures
            raise Unreadable("The file cannot be read.") from error
        if len(data) > MAX_FILE_BYTES:
            raise Unreadable(f"The file has more than {MAX_FILE_BYTES:,} bytes.")
        return data


def find(patterns: Iterable[str]) -> Iterator[File]:
    """Files in the order of their names. Raises ScoringError."""
    for pattern in patterns:
        paths = [pattern] if Path(pattern).exists() else sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 patterns may be absolute
        if not paths:
            raise ScoringError(f"Nothing is at {pattern}.")
        for path in paths:
            for file in _walk(Path(path)):
                yield from _members(file)


def _walk(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
    for folder, below, names in os.walk(path):
        below.sort()
        yield from (Path(folder) / name for name in sorted(names))


def _members(path: Path) -> Iterator[File]:
    """What an archive holds; any other file, and an archive that cannot be listed, stands for itself."""
    members: Sequence[str | None] = [None]
    if path.name.lower().endswith(ARCHIVE_SUFFIXES):
        with suppress(Exception):  # read again as a file it becomes a row that says so
            members = _member_names(_archive(path))
    yield from (File(path, member) for member in members)


def _member_names(archive: zipfile.ZipFile | tarfile.TarFile) -> list[str]:
    if isinstance(archive, zipfile.ZipFile):
        return [info.filename for info in archive.infolist() if not info.is_dir()]
    return [member.name for member in archive.getmembers() if member.isfile()]


@lru_cache(maxsize=2)
def _archive(path: Path) -> zipfile.ZipFile | tarfile.TarFile:
    return zipfile.ZipFile(path) if path.suffix.lower() == ".zip" else tarfile.open(path)


def _open_member(path: Path, member: str) -> IO[bytes]:
    archive = _archive(path)
    opened = archive.open(member) if isinstance(archive, zipfile.ZipFile) else archive.extractfile(member)
    if opened is None:
        raise Unreadable("The member is no file.")
    return opened
