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
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from app.imaging.picture import DamagedPicture, PictureError, TooMuchWork, Unread

MEMORY, MEMORY_PER_PIXEL = (
    64 * 2**20,
    10,
)  # bytes, for each that a picture may have: JPEG 2000 asks for most, and uses 8
KEPT = ("PATH", "LD_LIBRARY_PATH")  # of the environment: a decoder needs no secrets
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
STOP_SECONDS = 1.0
LOOK_SECONDS = 0.05

Open = Callable[[bytes], Unread]
Job = Callable[[Unread], Any]  # both such that they can be pickled


class Decoders:
    """Processes that decode: one from the start, and up to `most` as more are needed at a time."""

    def __init__(self, most: int, max_pixels: int) -> None:
        self._all = [_Decoder(MEMORY + MEMORY_PER_PIXEL * max_pixels) for _ in range(most)]
        self._all[-1].start()
        self._idle: queue.LifoQueue[_Decoder] = queue.LifoQueue()
        for decoder in self._all:
            self._idle.put(decoder)

    def __call__(self, open: Open, job: Job, files: Sequence[bytes], over: Callable[[], bool]) -> list[Any]:
        """What `job` makes of each opened file, in order, or the PictureError that met it.

        Raises TimeoutError once `over` says that nobody waits any more, and OSError where no process can be started.
        """
        decoder = self._idle.get()
        try:
            return list(decoder.results(open, job, files, over))
        finally:
            self._idle.put(decoder)

    def close(self) -> None:
        for decoder in self._all:
            decoder.stop()


class _Decoder:
    """One process, started when it is needed and not there."""

    def __init__(self, memory: int) -> None:
        self._memory = memory  # bytes it may take beyond those it has at rest
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection

    def start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.imaging.decoder", str(theirs.fileno()), str(self._memory)],
                pass_fds=[theirs.fileno()],
                cwd=Path(__file__).parents[2],
                env={name: os.environ[name] for name in KEPT if name in os.environ} | ONE_THREAD,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # libraries quote files in their warnings
            )
        self._connection = Connection(ours.detach())

    def stop(self) -> int:
        """Its exit code."""
        if self._process is None:
            return 0
        self._connection.close()
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            self._process = None

    def results(self, open: Open, job: Job, files: Sequence[bytes], over: Callable[[], bool]) -> Iterator[Any]:
        """As they come. A death is the fault of the file at hand, but a first SIGKILL may have been anybody's."""
        done, forgiven = 0, -1
        while done < len(files):
            try:
                for result in self._work(open, job, files[done:], over):
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
                self._kill()
                raise

    def _work(self, open: Open, job: Job, files: Sequence[bytes], over: Callable[[], bool]) -> Iterator[Any]:
        if self._process is None:
            self.start()
        self._connection.send((open, job, len(files)))
        for data in files:
            self._connection.send_bytes(data)
        for _ in files:
            while not self._connection.poll(LOOK_SECONDS):
                if over():
                    raise TimeoutError
            result = self._connection.recv()
            if isinstance(result, Exception) and not isinstance(result, PictureError):
                raise result
            yield result

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
        self.stop()


def _cause(code: int) -> PictureError:
    if code in {-signal.SIGPROF, -signal.SIGKILL}:
        return TooMuchWork("The picture takes more time or memory to decode than one may.")
    return DamagedPicture("The picture brought its decoder down.")
