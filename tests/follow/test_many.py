"""A thousand series in one go."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from app.imaging import Pixels
from tests.app.slices import drawn, placed, runs
from tests.benchmarks.processes import memory
from tests.follow.archive import Archive
from tests.running import wait_until

SERIES = 1000
LEAST_PER_SECOND = 10  # 41 were measured, on two cores
MOST_GROWTH = 8.0  # MiB, of all its processes from the 200th series to the last; 1 was measured


def post(archive: Archive, slices: list[Pixels], series: int) -> None:
    for number, pixels in enumerate(slices):
        said = {"InstanceNumber": number, "SOPInstanceUID": f"1.2.{series}.{number}", "PatientID": "1"}
        archive.post(placed(pixels, f"1.2.{series}", number, **said))


def resident_after(archive: Archive, answers: int, root: int) -> float:
    """MiB of a process and its children once there are so many answers."""
    wait_until(lambda: len(archive.changes("UpdatedMetadata")) >= answers, SERIES / LEAST_PER_SECOND)
    return sum(resident for _, _, resident in memory(root))


@pytest.mark.slow
def test_a_thousand_series_are_answered_at_a_steady_rate_in_the_same_memory(archive: Archive) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(partial(post, archive, drawn(runs(HeadCT=8))), range(SERIES)))
    wait_until(lambda: len(archive.changes("StableSeries")) == SERIES, 60)
    following = archive.follow()
    first, last = (resident_after(archive, count, following.pid) for count in (SERIES // 5, SERIES))
    assert last - first < MOST_GROWTH
    told = archive.changes("UpdatedMetadata")
    assert (told[-1] - told[0]).total_seconds() < SERIES / LEAST_PER_SECOND
