"""Another bundle takes over while the service runs."""

import asyncio
import fcntl
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from app.api.service import Service
from app.model import archive, bundle
from app.model.bundle import MANIFEST, Bundle, BundleError
from app.model.classifier import Classifier, ready

LOOK_SECONDS = 2.0
SWITCH_SECONDS = 1e-5  # the loading thread gives the interpreter back this soon; at the usual 5 ms requests would wait
SMALL_SIZES = (1, 2, 4, 8, 16)  # batches to warm up beside requests; a larger one would hold them up for 7 to 32 ms
LATER = 10  # niceness: at 19 the interpreter, held by a thread that gets no turn, kept requests waiting again

State = tuple[Path, list[tuple[str, int, int, int]]]  # a folder, and name, inode, size and time of every file in it

log = structlog.get_logger()


class Reload:
    """Follows `path`, the bundle in use or a link to it: what comes next is loaded beside the old one and takes over.

    A bundle that was refused is tried again whenever its files change: it may only have been half copied.
    """

    def __init__(self, service: Service, path: Path, cores: int) -> None:
        self._service, self._path, self._cores = service, path, cores
        self._seen = self._taken = _state(service.bundle.folder)
        self._asked = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "reload", _step_back)

    def now(self) -> None:
        """Look at once, and again at a bundle that was refused."""
        self._seen = self._taken
        self._asked.set()

    async def run(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), LOOK_SECONDS)
            self._asked.clear()
            with suppress(OSError):  # it cannot be looked at now: no descriptor is free, or its file server is away
                await self._look()

    async def _look(self) -> None:
        state = await asyncio.to_thread(_state, self._path)
        if state != self._seen:
            self._seen = state
            await self._take_over(state)

    async def _take_over(self, state: State) -> None:
        metrics, old, loop = self._service.metrics, self._service.batcher, asyncio.get_running_loop()
        try:
            with _yielding():
                opened = await asyncio.to_thread(_check, state[0])
                classifier = await loop.run_in_executor(self._thread, _load, opened, self._cores)
        except Exception as error:  # whatever is wrong with the new one, the old one goes on
            metrics.reloads.labels("refused").inc()
            reason = str(error) if isinstance(error, BundleError) else type(error).__name__
            log.warning("bundle refused", reason=reason, serving=old.bundle.title)
            return
        self._seen = self._taken = state  # also where `now` was called meanwhile
        self._service.batcher = old.successor(classifier)
        metrics.reloads.labels("done").inc()
        metrics.serves(old.bundle.manifest, classifier.bundle.manifest)
        log.info("bundle taken over", bundle=classifier.bundle.title, before=old.bundle.title)
        await old.close()


@contextmanager
def _yielding() -> Iterator[None]:
    """Let the event loop have the interpreter back soon."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def _step_back() -> None:
    """Let the threads that answer go first. On Linux a thread has a niceness of its own."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LATER)


def _state(path: Path) -> State:
    """Changes whenever the bundle does, also where it is altered, deleted or replaced in its place. Raises OSError."""
    folder = Path(os.path.realpath(path))  # Path.resolve raises where a link leads to itself
    walked = os.walk(folder, onerror=_unless_missing)
    names = sorted(os.path.join(below, name) for below, _, files in walked for name in files)  # noqa: PTH118
    state = []
    for name in names:
        with suppress(FileNotFoundError):  # it was there a moment ago
            found = os.stat(name)  # noqa: PTH116
            state.append((name, found.st_ino, found.st_size, found.st_mtime_ns))
    return folder, state


def _unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _check(folder: Path) -> Bundle:
    """At the usual niceness: this is Python's work, and a nice thread that holds the interpreter is waited for."""
    opened = bundle.read(folder)
    archive.inspect(opened)
    return opened


def _load(opened: Bundle, cores: int) -> Classifier:
    """One worker after another: the others answer meanwhile."""
    with opened.path(MANIFEST).open() as file:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        return ready(opened, cores, SMALL_SIZES)
