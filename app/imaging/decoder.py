"""What runs in a sandbox: python -m app.imaging.decoder DESCRIPTOR PIXELS FRAMES, started by app.imaging.sandbox only."""

import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from PIL import Image

import app.imaging.dicom  # noqa: F401 it takes a fifth of a second, which the first DICOM should not wait for
from app import imaging
from app.imaging import ImageFile, SizeLimits, TooMuchWork
from app.imaging.sandbox import Job

# In bytes, beyond what is taken at rest; for each pixel a picture may have JPEG 2000 asks for most, and uses 8.
MEMORY, MEMORY_PER_PIXEL = 64 * 2**20, 10
# Of processor time.
HEADER_SECONDS = 1.0
FRAME_SECONDS, SECONDS_PER_PIXEL = 1.0, 2e-7  # JPEG 2000 takes half of that
OWN_PAGES = 5  # which number of /proc/self/statm counts them


def main(descriptor: int, limits: SizeLimits) -> None:
    """Answer jobs until the service closes the connection."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):  # meant for the service, which finishes first
        signal.signal(number, signal.SIG_IGN)
    Image.preinit()
    _limit(MEMORY + MEMORY_PER_PIXEL * limits.pixels)
    with Connection(descriptor) as connection, suppress(EOFError, ConnectionError):
        while True:
            _serve(connection, limits)


def _serve(connection: Connection, limits: SizeLimits) -> None:
    """One job; a function of its own so that no file of it is kept while those of the next come."""
    job, count = connection.recv()
    for data in [connection.recv_bytes() for _ in range(count)]:
        connection.send(_result(job, data, limits))


def _limit(memory: int) -> None:
    """No file written, no core left, and no more than `memory` bytes beyond what is taken now."""
    for limit in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        resource.setrlimit(limit, (0, 0))
    with suppress(OSError):  # elsewhere than on Linux there is no such limit, only that on time
        pages = int(Path("/proc/self/statm").read_text().split()[OWN_PAGES])
        most = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _result(job: Job, data: bytes, limits: SizeLimits) -> Any:
    """What `job` makes of a file, or why it failed. Where it takes longer than it may, SIGPROF ends the process."""
    try:
        _allow(HEADER_SECONDS)
        return _made(job, imaging.open(data, limits))
    except MemoryError:
        return TooMuchWork("The picture takes more memory to decode than one may.")
    except Exception as error:
        return error
    finally:
        _allow(0)


def _made(job: Job, file: ImageFile) -> Any:
    """What `job` makes; where that is several things, each has time of its own."""
    seconds = FRAME_SECONDS + SECONDS_PER_PIXEL * file.size.rows * file.size.columns
    _allow(seconds)
    made = job(file)
    if not isinstance(made, Iterator):
        return made
    several = []
    for one in made:
        several.append(one)
        _allow(seconds)
    return several


def _allow(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_PROF, seconds)


if __name__ == "__main__":
    main(int(sys.argv[1]), SizeLimits(int(sys.argv[2]), int(sys.argv[3])))
