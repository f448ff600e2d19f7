"""Another bundle takes over while the service runs."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

import structlog

from app.api.service import Service
from app.model import bundle, checkpoint
from app.model.batching import Batcher
from app.model.classifier import Classifier

POLL_SECONDS = 2.0

State = tuple[Path, list[tuple[str, int, int, int]]]  # a folder, and name, inode, size and time of every file in it

log = structlog.get_logger()


class Reload:
    """Follows `path`, the bundle in use or a link to it: what comes next is loaded beside the old one and takes over.

    A bundle that was refused is tried again whenever its files change: it may only have been half copied.
    """

    def __init__(self, service: Service, path: Path, cache: Path | None) -> None:
        self._service, self._path, self._cache = service, path, cache
        self._seen = self._taken = _state(service.bundle.folder)
        self._asked = asyncio.Event()

    def now(self) -> None:
        """Look at once, and again at a bundle that was refused."""
        self._seen = self._taken
        self._asked.set()

    async def run(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), POLL_SECONDS)
            self._asked.clear()
            with suppress(OSError):  # it cannot be looked at now: no descriptor is free, or its file server is away
                state = await asyncio.to_thread(_state, self._path)
                if state != self._seen:
                    self._seen = state
                    await self._take_over(state)

    async def _take_over(self, state: State) -> None:
        metrics, old = self._service.metrics, self._service.batcher
        try:
            batcher = await asyncio.to_thread(self._open, state[0])
        except Exception as error:  # whatever is wrong with the new one, the old one goes on
            metrics.reloads("refused").inc()
            reason = str(error) if isinstance(error, bundle.BundleError) else type(error).__name__
            log.warning("bundle refused", reason=reason, serving=old.bundle.title)
            return
        self._seen = self._taken = state  # also where `now` was called meanwhile
        self._service.batcher = batcher
        metrics.reloads("done").inc()
        metrics.set_model(old.bundle.manifest, batcher.bundle.manifest)
        log.info("bundle taken over", bundle=batcher.bundle.title, before=old.bundle.title)

    def _open(self, folder: Path) -> Batcher:
        opened = checkpoint.compiled(bundle.read(folder), self._cache, beside=True)
        return Batcher(Classifier(opened))


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
