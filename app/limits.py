"""What one request, all of them together, and this process may take."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field

from app.imaging import DEFAULT_LIMITS

MIB = 2**20
CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # "max 100000" or microseconds a period, and the period


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
    with suppress(OSError, ValueError):
        quota, period = CGROUP_QUOTA.read_text().split()
        cores = min(cores, max(1, round(int(quota) / int(period))))
    return cores
