"""Full and read-only file systems, real ones, seen by nobody but the processes under test."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.running import ROOT


@dataclass(frozen=True)
class Mounts:
    """A view of the file system of its own, kept by the process `holder`."""

    holder: int
    filler = "filler"  # the file that takes the room

    @property
    def within(self) -> list[str]:
        """What a command stands behind to run in this view, from the repository."""
        enter = ["nsenter", f"--target={self.holder}", "--user", "--preserve-credentials", "--mount"]
        return [*enter, "sh", "-c", 'cd "$0" && exec "$@"', str(ROOT)]

    def seen(self, path: Path) -> Path:
        """`path` as it is in this view, for those outside it."""
        return Path(f"/proc/{self.holder}/root{path}")

    def mount(self, command: str) -> None:
        subprocess.run([*self.within, "sh", "-c", command], check=True)

    def leave(self, folder: Path, kib: int) -> None:
        """Take all the room on the disk at `folder` but this much."""
        filler = self.seen(folder) / self.filler
        filler.unlink(missing_ok=True)
        disk = os.statvfs(filler.parent)
        filler.write_bytes(bytes(disk.f_bavail * disk.f_frsize - kib * 1024))


@contextmanager
def mounts(*commands: str) -> Iterator[Mounts]:
    """A view in which these shell commands have mounted something. The test is skipped where none may be."""
    script = " && ".join([*commands, "echo mounted", "exec sleep infinity"])
    unshare = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
    with subprocess.Popen(unshare, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stderr
        try:
            if holder.stdout.readline() != "mounted\n":
                pytest.skip(f"nothing can be mounted here: {holder.stderr.read().strip()}")
            yield Mounts(holder.pid)
        finally:
            holder.kill()


@contextmanager
def tiny_disk(folder: Path, kib: int) -> Iterator[Mounts]:
    """`folder` is a disk of `kib` KiB of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    with mounts(f"mount -t tmpfs -o size={kib}k tiny '{folder}'") as made:
        yield made
