"""What one request, all of them together, and this process may take."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field

from app.imaging import DEFAULT_LIMITS

MIB = 2**20
CGROUPS = Path("/sys/fs/cgroup")  # version 2, or a folder for each controller of version 1
CGROUPS_V1 = CGROUPS / "cpu", CGROUPS / "cpu,cpuacct"  # the first is mostly a link to the second
OWN_CGROUPS = Path("/proc/self/cgroup")  # lines such as "0::/path", which is version 2, and "4:cpu,cpuacct:/path"


class Limits(BaseModel):
    """Of one request; sizes in bytes, times in seconds."""

    max_upload_bytes: int = Field(64 * MIB, ge=1)
    max_request_bytes: int = Field(256 * MIB, ge=1)
    max_batch_files: int = Field(256, ge=1)
    max_pixels: int = Field(DEFAULT_LIMITS.pixels, ge=256)
    max_frames: int = Field(DEFAULT_LIMITS.frames, ge=1)
    max_queue: int = Field(64, ge=1)
    request_timeout_seconds: float = Field(10, gt=0)


@dataclass(slots=True)
class Capacity:
    """Of all requests together: places between body and answer, and bytes of bodies."""

    max_requests: int
    max_bytes: int
    requests: int = 0
    bytes: int = 0


def usable_cores() -> int:
    """Cores this process may use: those it may run on, or fewer where a container's quota is lower."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min([cores, *(max(1, round(quota)) for quota in _quotas())])


def _quotas() -> Iterator[float]:
    """Cores' worth of time that each of this process's control groups and of those around them may take."""
    for group in _control_groups():
        for names in (["cpu.max"], ["cpu.cfs_quota_us", "cpu.cfs_period_us"]):  # of version 2 and 1
            with suppress(OSError, ValueError):  # they are not there, or it is "max"
                quota, period = map(int, " ".join((group / name).read_text() for name in names).split())
                if quota > 0:  # -1 is none
                    yield quota / period


def _control_groups() -> Iterator[Path]:
    """Folders where they may be. What a container has mounted is its own group already, whatever path it is told."""
    yield from (CGROUPS, *CGROUPS_V1)
    with suppress(OSError, ValueError):
        for line in OWN_CGROUPS.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            for mount in CGROUPS_V1 if "cpu" in controllers.split(",") else () if controllers else [CGROUPS]:
                group = mount / path.strip("/")
                yield from (group, *group.parents)
