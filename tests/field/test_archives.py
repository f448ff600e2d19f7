"""Archives as exporters, backups and copies that broke off leave them: every file in them is judged, or a row says why not."""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from app.scoring import archives, containers, files
from app.scoring.archives import EMPTY, TOO_DEEP
from app.scoring.containers import (
    DAMAGED,
    DAMAGED_MEMBER,
    ENCRYPTED_MEMBER,
    NO_FILE,
    NO_TARGET,
    TOO_LARGE,
    TOO_MUCH,
    UNKNOWN_METHOD,
    Fault,
)
from app.scoring.files import Unreadable
from app.scoring.finding import find
from tests.field.drawn import HAND, HEAD
from training import phantoms

A, B = phantoms.png(HAND), phantoms.png(HEAD)
WHOLE = 512 + -(-len(A) // 512) * 512  # bytes of A in a tar, with its header
END = bytes(1024)

Found = dict[str, bytes | Fault]  # what lies there, or why it cannot be read


def found(path: Path) -> Found:
    """Names below `path`, none of them twice; its own is empty."""
    files = list(find([str(path)]))
    read: Found = {}
    for file in files:
        try:
            content: bytes | Fault = file.read()
        except Unreadable as error:
            content = Fault(str(error), error.kind)
        read[file.name.removeprefix(str(path))] = content
    assert len(read) == len(files)
    return read


def tarred(*members: tuple[str, bytes] | tarfile.TarInfo, mode: str = "w") -> bytes:
    """With nothing but a header of 512 bytes before each member."""
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode=mode, format=tarfile.GNU_FORMAT) as archive:  # type: ignore[call-overload]
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return memory.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return memory.getvalue()


def linked(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    """As Info-ZIP's `zip --symlinks` stores a link: Unix' mode in the attributes, the target for content."""
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info, target.encode()


def changed(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def marked(data: bytes, local: int, central: int, new: bytes) -> bytes:
    """A zip of one member with `new` in both its headers."""
    return changed(changed(data, local, new), data.index(b"PK\1\2") + central, new)


TWO = tarred(("1", A), ("2", B))
GZIPPED = gzip.compress(tarred(("1", A), ("2", B), ("3", A)))
ZIP = zipped(("1", A))
NEGATIVE = changed(tarred(("1", A), ("2", B)), WHOLE + 124, b"\xff" * 12)
HUGE = tarfile.TarInfo("huge")
HUGE.size = 2**33

TARS: dict[str, tuple[bytes, Found]] = {
    "whole": (TWO, {"/1": A, "/2": B}),
    "cut in a member": (TWO[: WHOLE + 700], {"/1": A, "/2": DAMAGED_MEMBER, "": DAMAGED}),
    "cut in a header": (TWO[: WHOLE + 100], {"/1": A, "": DAMAGED}),
    "cut between members, where no end is": (TWO[:WHOLE], {"/1": A, "": DAMAGED}),
    "a bad header in the middle": (
        changed(tarred(("1", A), ("2", B), ("3", A)), WHOLE + 148, b"9"),
        {"/1": A, "/3": A, "": DAMAGED},
    ),
    "a bad first header": (changed(TWO, 148, b"9"), {"/2": B, "": DAMAGED}),
    "a header lost to zeros": (changed(TWO, 0, bytes(512)), {"/2": B, "": DAMAGED}),
    "rubbish between members": (TWO[:WHOLE] + b"?" * 512 + TWO[WHOLE:], {"/1": A, "/2": B, "": DAMAGED}),
    "one behind the other, as `cat` joins them": (TWO + tarred(("3", A)), {"/1": A, "/2": B, "/3": A}),
    "no members": (tarred(), {"": EMPTY}),
    "no bytes": (b"", {"": DAMAGED}),
    "only a folder": (tarred(special("folder/", tarfile.DIRTYPE)), {"": EMPTY}),
    "a hard link, as deduplicating archivers write": (
        tarred(("one", A), special("two", tarfile.LNKTYPE, "one")),
        {"/one": A, "/two": A},
    ),
    "a hard link between two of its target's name": (
        tarred(("one", A), special("two", tarfile.LNKTYPE, "one"), ("one", B)),
        {"/one": A, "/two": A, "/one#2": B},
    ),
    "a symbolic link": (
        tarred(special("new/last", tarfile.SYMTYPE, "../old/1"), ("./old/1", A)),
        {"/new/last": A, "/./old/1": A},
    ),
    "links out of the archive": (
        tarred(special("a", tarfile.SYMTYPE, "/etc/hostname"), special("b", tarfile.LNKTYPE, "../../etc/hostname")),
        {"/a": NO_TARGET, "/b": NO_TARGET},
    ),
    "links in a circle": (
        tarred(special("a", tarfile.SYMTYPE, "b"), special("b", tarfile.SYMTYPE, "a")),
        {"/a": NO_TARGET, "/b": NO_TARGET},
    ),
    "a pipe": (tarred(special("pipe", tarfile.FIFOTYPE), ("1", A)), {"/pipe": NO_FILE, "/1": A}),
    "two of one name, beside one that has the second's": (
        tarred(("1", A), ("1#2", B), ("1", B)),
        {"/1": A, "/1#2": B, "/1#3": B},
    ),
    "a negative size": (NEGATIVE, {"/1": A, "": DAMAGED}),
    "a size beyond its end": (HUGE.tobuf() + END, {"/huge": TOO_LARGE, "": DAMAGED}),
}


@pytest.mark.parametrize(("data", "expected"), TARS.values(), ids=TARS)
def test_each_file_in_a_tar_is_read_or_has_a_row_that_says_why_not(
    data: bytes, expected: Found, tmp_path: Path
) -> None:
    (path := tmp_path / "archive.tar").write_bytes(data)
    assert found(path) == expected


ZIPS: dict[str, tuple[bytes, Found]] = {
    "two of one name, as exporters that append write": (
        zipped(("IM1", A), ("IM2", B)).replace(b"IM2", b"IM1"),
        {"/IM1": A, "/IM1#2": B},
    ),
    "behind a program that unpacks itself": (b"MZ" + bytes(500) + ZIP, {"/1": A}),
    "cut": (ZIP[:-30], {"": DAMAGED}),
    "no members": (zipped(), {"": EMPTY}),
    "a member cut out": (changed(ZIP, 100, bytes(200)), {"/1": DAMAGED_MEMBER}),
    "a wrong checksum": (changed(ZIP, ZIP.index(b"PK\1\2") + 16, b"????"), {"/1": DAMAGED_MEMBER}),
    "a damaged local header": (changed(ZIP, 0, b"?"), {"/1": DAMAGED_MEMBER}),
    "an encrypted member": (marked(ZIP, 6, 8, b"\1"), {"/1": ENCRYPTED_MEMBER}),
    "Deflate64, as the Windows Explorer writes beyond 2 GB": (marked(ZIP, 8, 10, b"\x09"), {"/1": UNKNOWN_METHOD}),
    "links": (
        zipped(("a/1", A), linked("b/2", "../a/1"), linked("3", "/etc/hostname"), linked("4", "nothing")),
        {"/a/1": A, "/b/2": A, "/3": NO_TARGET, "/4": NO_TARGET},
    ),
    "names that would lead out": (zipped(("../1", A), ("/2", B)), {"/../1": A, "//2": B}),
    "backslashes, as .NET wrote": (zipped(("folder\\", b""), ("folder\\1", A)), {"/folder\\1": A}),
    "a folder": (zipped(("folder/", b""), ("folder/1", A)), {"/folder/1": A}),
}


@pytest.mark.parametrize(("data", "expected"), ZIPS.values(), ids=ZIPS)
def test_each_file_in_a_zip_is_read_or_has_a_row_that_says_why_not(
    data: bytes, expected: Found, tmp_path: Path
) -> None:
    (path := tmp_path / "archive.zip").write_bytes(data)
    assert found(path) == expected


PACKED: dict[str, tuple[str, bytes, Found]] = {
    "as PACS exports pack": ("1.dcm.gz", gzip.compress(A), {"/1.dcm": A}),
    "by its name only, unpacked on its way": ("1.dcm.gz", A, {"/1.dcm": A}),
    "cut, a file": ("1.dcm.gz", gzip.compress(A)[:-50], {"/1.dcm": DAMAGED_MEMBER}),
    "bzip2, a file": ("1.dcm.BZ2", bz2.compress(A), {"/1.dcm": A}),
    "xz, a file": ("1.dcm.xz", lzma.compress(A), {"/1.dcm": A}),
    **{
        f"a tar as {name}": (name, pack(TWO), {"/1": A, "/2": B})
        for suffixes, pack in (
            ((".tar.gz", ".tgz"), gzip.compress),
            ((".tar.bz2", ".tbz2", ".tbz", ".TBZ2"), bz2.compress),
            ((".tar.xz", ".txz"), lzma.compress),
        )
        for name in suffixes
    },
    "cut, a tar": (
        "cut.tar.gz",
        GZIPPED[: len(gzip.compress(tarred(("1", A)))) + 500],
        {"/1": A, "/2": DAMAGED_MEMBER, "": DAMAGED},
    ),
    "a tar called zip": ("1.zip", TWO, {"/1": A, "/2": B}),
    "a zip called tar": ("1.tar", ZIP, {"/1": A}),
    "a picture called zip": ("1.zip", A, {"": A}),
    "a text called zip": ("1.zip", b"no archive", {"": DAMAGED}),
}


@pytest.mark.parametrize(("name", "data", "expected"), PACKED.values(), ids=PACKED)
def test_what_is_packed_is_read_by_its_content(name: str, data: bytes, expected: Found, tmp_path: Path) -> None:
    (path := tmp_path / name).write_bytes(data)
    assert found(path) == expected


NESTED: dict[str, tuple[bytes, Found]] = {
    "zip": (ZIP, {"/in.zip/1": A}),
    "tar": (TWO, {"/in.tar/1": A, "/in.tar/2": B}),
    "tgz": (GZIPPED, {"/in.tgz/1": A, "/in.tgz/2": B, "/in.tgz/3": A}),
    "dcm.gz": (gzip.compress(A), {"/in.dcm.gz/in.dcm": A}),
    "damaged.zip": (ZIP[:-30], {"/in.damaged.zip": DAMAGED}),
    "cut.tar": (TWO[: WHOLE + 100], {"/in.cut.tar/1": A, "/in.cut.tar": DAMAGED}),
    "picture.zip": (A, {"/in.picture.zip": A}),
    "deep.zip": (zipped(("in.zip", ZIP), ("1", A)), {"/in.deep.zip/in.zip": TOO_DEEP, "/in.deep.zip/1": A}),
}


@pytest.mark.parametrize(
    "outer",
    [("out.zip", zipped), ("out.tar", tarred), ("out.tgz", lambda *of: tarred(*of, mode="w:gz"))],
    ids=lambda outer: outer[0],
)
@pytest.mark.parametrize("suffix", NESTED)
def test_an_archive_in_an_archive_is_opened_and_no_deeper(
    suffix: str, outer: tuple[str, Callable[..., bytes]], tmp_path: Path
) -> None:
    data, expected = NESTED[suffix]
    (path := tmp_path / outer[0]).write_bytes(outer[1](("0", B), (f"in.{suffix}", data)))
    assert found(path) == {"/0": B} | expected


def test_an_archive_that_unpacks_without_end_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_BYTES", 100_000)
    most = tarfile.TarInfo("zeros")
    most.size = 10_000_000
    packed = gzip.compress(tarred(("1", A)) + most.tobuf() + bytes(most.size) + tarred(("2", B)))
    (path := tmp_path / "bomb.tar.gz").write_bytes(packed)
    assert found(path) == {"/1": A, "/zeros": bytes(most.size), "": TOO_MUCH}
    (path := tmp_path / "bombs.zip").write_bytes(zipped(("1.tgz", packed), ("2.tgz", packed)))
    assert found(path)["/2.tgz"] == TOO_MUCH


def test_a_header_of_a_tar_gets_no_more_than_a_header_needs(tmp_path: Path) -> None:
    name = special("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    name.size = 2**31
    (path := tmp_path / "long.tar.gz").write_bytes(gzip.compress(name.tobuf() + bytes(10_000_000)))
    assert found(path) == {"": DAMAGED}


def test_a_file_larger_than_one_may_be_has_a_row_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (containers, archives, files):
        monkeypatch.setattr(module, "MAX_FILE_BYTES", len(A) - 1)
    for name, data in {"1.zip": ZIP, "1.tar": tarred(("1", A)), "1.gz": gzip.compress(A)}.items():
        (tmp_path / name).write_bytes(data)
    assert set(found(tmp_path).values()) == {TOO_LARGE}
