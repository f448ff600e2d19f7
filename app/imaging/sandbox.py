"""Decoding in processes of their own, limited in memory and processor time, and replaced when they overstep.

A decoder's inner loop can be stopped, and its memory taken back, only with its process. This bounds what a file may cost
and outlives its crashes; it is no wall against code smuggled into a decoder, which has the service's own rights.
"""

import os
import queue
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from app.imaging import DamagedPicture, Glance, ImageFile, PictureError, SizeLimits, TooMuchWork

TINY_BYTES, TINY_PIXELS = 16 * 1024, 128 * 128  # decoded in at most 0.3 ms
LITTLE_PIXELS = 4_000_000  # of a file that is outlined: in at most 50 ms and 40 MB

INHERITED = ("PATH", "LD_LIBRARY_PATH")  # of the environment: who opens what others sent needs no secrets
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
STOP_SECONDS = 1.0
POLL_SECONDS = 0.05

Job = Callable[[ImageFile], Any]  # such that it can be pickled


class Cost(Enum):
    """What decoding a file may take."""

    TINY = "well under a millisecond"  # so that handing it to a thread would cost more
    LITTLE = "bounded by its size"
    UNKNOWN = "anything"


def cost(file: Glance) -> Cost:
    """What is not known to be small and plain had better be decoded where it can be stopped."""
    outline = file.outline
    if outline is None or not outline.bounded or (pixels := outline.width * outline.height) > LITTLE_PIXELS:
        return Cost.UNKNOWN
    return Cost.TINY if len(file.data) <= TINY_BYTES and pixels <= TINY_PIXELS else Cost.LITTLE


def bare_environment() -> dict[str, str]:
    """Of a child process that opens what others sent, on one thread."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ} | ONE_THREAD


class DecoderPool:
    """Processes that decode: one from the start, and up to `most` as more are needed at a time."""

    def __init__(self, most: int, limits: SizeLimits) -> None:
        self.limits = limits
        self._all = [DecoderProcess(limits) for _ in range(most)]
        self._all[-1].start()
        self._idle: queue.LifoQueue[DecoderProcess] = queue.LifoQueue()
        for decoder in self._all:
            self._idle.put(decoder)

    def __call__(self, job: Job, files: Sequence[bytes], over: Callable[[], bool]) -> list[Any]:
        """What `job` makes of each file, opened, in order, or the PictureError that met it.

        Raises TimeoutError once `over` says that nobody waits any more, and OSError where no process can be started.
        """
        decoder = self._idle.get()
        try:
            return list(decoder.results(job, files, over))
        finally:
            self._idle.put(decoder)

    def close(self) -> None:
        for decoder in self._all:
            decoder.stop()


class DecoderProcess:
    """One process that knows its limits from its start, which is when it is needed and not there."""

    def __init__(self, limits: SizeLimits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection

    def start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.imaging.decoder", *map(str, (theirs.fileno(), *self._limits))],
                pass_fds=[theirs.fileno()],
                cwd=Path(__file__).parents[2],
                env=bare_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # libraries quote files in their warnings
            )
        self._connection = Connection(ours.detach())

    def stop(self, patience: float = STOP_SECONDS) -> int:
        """The process' exit code; killed unless it leaves within `patience` seconds."""
        if self._process is None:
            return 0
        self._connection.close()
        try:
            return self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            self._process = None

    def results(self, job: Job, files: Sequence[bytes], over: Callable[[], bool]) -> Iterator[Any]:
        """As they come. A death is the fault of the file at hand, but a first SIGKILL may have been anybody's."""
        done, forgiven = 0, -1
        while done < len(files):
            try:
                for result in self._work(job, files[done:], over):
                    yield result
                    done += 1
            except (EOFError, ConnectionError):
                code = self.stop()
                self.start()  # at once, for that takes half a second
                if code == -signal.SIGKILL and forgiven != done:
                    forgiven = done
                    continue
                yield _cause(code)
                done += 1
            except BaseException:
                self.stop(patience=0)
                raise

    def _work(self, job: Job, files: Sequence[bytes], over: Callable[[], bool]) -> Iterator[Any]:
        if self._process is None:
            self.start()
        self._connection.send((job, len(files)))
        for data in files:
            self._connection.send_bytes(data)
        for _ in files:
            while not self._connection.poll(POLL_SECONDS):
                if over():
                    raise TimeoutError
            result = self._connection.recv()
            if isinstance(result, Exception) and not isinstance(result, PictureError):
                raise result
            yield result


def _cause(code: int) -> PictureError:
    if code in {-signal.SIGPROF, -signal.SIGKILL}:
        return TooMuchWork("The picture takes more time or memory to decode than one may.")
    return DamagedPicture("The picture brought its decoder down.")
