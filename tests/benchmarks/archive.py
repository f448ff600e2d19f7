"""How fast `follow` answers the series of an Orthanc, and in what memory: python -m tests.benchmarks followed.

Drawn series of as many slices as are judged; both share the machine. It needs Debian's orthanc.
"""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from app.imaging import Pixels
from tests.app.slices import drawn, placed, runs
from tests.benchmarks.processes import memory
from tests.benchmarks.stand import Row, seconds, table
from tests.follow.archive import Archive, running
from tests.running import wait_until

SERIES, SLICES = 1000, 8
AT = (200, 400, 600, 800, 1000)  # answers
MOST_SECONDS = 300


def followed() -> None:
    with tempfile.TemporaryDirectory() as name, running(Path(name)) as archive:
        _store(archive)
        rows = [*_followed(archive)]
    title = f"{SERIES} series of {SLICES} slices on an Orthanc, of which nothing is answered yet"
    table(title, ("answers", "s since the row before", "MiB, `follow`", "MiB, its decoders"), *rows)


def _store(archive: Archive) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(partial(_store_series, archive, drawn(runs(HeadCT=SLICES))), range(SERIES)))
    wait_until(lambda: len(archive.changes("StableSeries")) == SERIES, MOST_SECONDS)


def _store_series(archive: Archive, slices: list[Pixels], series: int) -> None:
    for number, pixels in enumerate(slices):
        said = {"InstanceNumber": number, "SOPInstanceUID": f"1.2.{series}.{number}", "PatientID": "1"}
        archive.post(placed(pixels, f"1.2.{series}", number, **said))


def _followed(archive: Archive) -> Iterator[Row]:
    before, following = _last(archive), archive.follow()
    for count in AT:
        took = seconds(partial(wait_until, partial(_is_past, archive, before + count), MOST_SECONDS))
        sizes = {pid: resident for pid, _, resident in memory(following.pid)}
        own = sizes.pop(str(following.pid))
        yield count, took, own, ", ".join(f"{size:.1f}" for size in sizes.values())


def _is_past(archive: Archive, change: int) -> bool:
    return _last(archive) >= change


def _last(archive: Archive) -> int:
    """The number of the last change; an answer is one."""
    return int(archive.client.get("/changes?last").json()["Last"])
