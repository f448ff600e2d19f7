"""Another bundle takes over while the service runs."""

import asyncio
import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from app.api.service import Service
from app.model import bundle
from app.model.bundle import MANIFEST, BundleError
from app.model.classifier import Classifier, ready

LOOK_SECONDS = 2.0
SWITCH_SECONDS = 0.0001
PAUSE_SECONDS = 0.1

log = structlog.get_logger()


class Reload:
    """Follows `path`, a link to the bundle in use: what it points to next is loaded beside the old one and takes over."""

    def __init__(self, service: Service, path: Path, cores: int) -> None:
        self._service, self._path, self._cores = service, path, cores
        self._seen = path.resolve()
        self._asked = asyncio.Event()

    def now(self) -> None:
        """Look at once, and again at a bundle that was refused."""
        self._seen = self._service.bundle.folder
        self._asked.set()

    async def run(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), LOOK_SECONDS)
            self._asked.clear()
            if (folder := self._path.resolve()) != self._seen:
                self._seen = folder
                await self._take_over(folder)

    async def _take_over(self, folder: Path) -> None:
        metrics, old = self._service.metrics, self._service.batcher
        try:
            with _yielding():
                classifier = await asyncio.to_thread(_load, folder, self._cores)
        except Exception as error:  # whatever is wrong with the new one, the old one goes on
            metrics.reloads.labels("refused").inc()
            reason = str(error) if isinstance(error, BundleError) else type(error).__name__
            log.warning("bundle refused", reason=reason, serving=old.bundle.title)
            return
        self._service.batcher = old.successor(classifier)
        metrics.reloads.labels("done").inc()
        metrics.serves(old.bundle.manifest, classifier.bundle.manifest)
        log.info("bundle taken over", bundle=classifier.bundle.title, before=old.bundle.title)
        await old.close()


@contextmanager
def _yielding() -> Iterator[None]:
    """Let the event loop have the interpreter back soon: at 5 ms each, every wait for it would delay a request."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def _load(folder: Path, cores: int) -> Classifier:
    """One worker after another: the others answer meanwhile."""
    opened = bundle.read(folder)
    with opened.path(MANIFEST).open() as file:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        return ready(opened, cores, PAUSE_SECONDS)
