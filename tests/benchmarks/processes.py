"""What a tree of processes uses."""

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
    found = [root]
    for pid in found:
        with suppress(OSError):  # it ended meanwhile
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                found += map(int, children.read_text().split())
    return found
