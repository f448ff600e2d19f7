"""What a tree of processes uses."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def memory(root: int) -> list[tuple[str, float, float]]:
    """Pid, proportional and resident MiB of the process `root` and all its descendants, the largest first."""
    found = []
    for pid in family(root):
        with suppress(OSError, KeyError):  # it ended meanwhile
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
            sizes = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines}
            found.append((str(pid), sizes["Pss"], sizes["Rss"]))
    return sorted(found, key=lambda row: -row[1])


def family(root: int) -> list[int]:
    """`root` and all its descendants."""
    parents = dict(_parents())
    found = []
    for pid in parents:
        ancestor = pid
        while ancestor != root and ancestor in parents:
            ancestor = parents[ancestor]
        if ancestor == root:
            found.append(pid)
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            yield int(path.parent.name), int(path.read_text().rsplit(")", 1)[1].split()[1])
