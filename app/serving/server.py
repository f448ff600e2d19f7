"""uvicorn, taught to leave politely."""

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Callable
from math import ceil
from multiprocessing import parent_process
from time import monotonic
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from app.model.batching import Batcher
from app.serving import terminal
from app.serving.http1 import Protocol
from app.settings import Settings, SettingsError

Tell = Callable[[str, int], object]  # what became of this worker, and how many requests it has in flight

log = structlog.get_logger()


class Server(uvicorn.Server):
    """On SIGTERM: unready at once, serving on while balancers notice, then closed, finished and gone with exit code 0."""

    def __init__(self, app: FastAPI, settings: Settings, tell: Tell) -> None:
        self._app, self._tell = app, tell
        self._batcher: Batcher | None = None  # of the bundle that was told last
        self._notice_seconds = settings.drain_seconds / 2
        self._leave_at: float | None = None
        self.interrupted = False
        self._echo = parent_process() is not None  # of Ctrl-C: a terminal's own to a worker, beside the supervisor's
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                lifespan="off",  # `run` enters it, so that a bad bundle is our sentence and not uvicorn's traceback
                http=Protocol,
                ws="none",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,  # nobody's address is used
                timeout_graceful_shutdown=ceil(settings.drain_seconds / 2),
            )
        )

    async def run_app(self, address: socket.socket) -> None:
        """Load and check the model, then listen. Raises BundleError."""
        async with self._app.router.lifespan_context(self._app):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._app.state.reload.now)
            gc.collect()
            gc.freeze()  # what was imported stays: without this a full collection stops every request for 0.2 s
            await self.serve([address])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.should_exit:  # told so meanwhile: ready no more
            return
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        log.info("ready", pid=os.getpid(), address=address)
        self._batcher = self._app.state.service.batcher
        self._tell(f"serving {self._batcher.bundle.title} on {address} (docs at /docs); Ctrl-C stops", 0)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self._app.state.service.draining:
            self._app.state.service.draining = True
            self._tell(terminal.STOPPING, len(self.server_state.tasks))
        if sig == signal.SIGTERM and self.started and self._leave_at is None:
            self._leave_at = monotonic() + self._notice_seconds
        elif self.interrupted and self._echo:
            self._echo = False  # or a first Ctrl-C would cut answers off, as the second does
        else:
            self.interrupted = sig == signal.SIGINT
            self.force_exit = self.should_exit
            self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        if (parent := parent_process()) and os.getppid() != parent.pid:  # it has died
            self.should_exit = True
        if self._leave_at is not None and monotonic() >= self._leave_at:
            self.should_exit = True
        if self._batcher is not (batcher := self._app.state.service.batcher):
            self._batcher = batcher
            self._tell(f"changed to bundle {batcher.bundle.title}", 0)
        return await super().on_tick(counter)


def bind(host: str, port: int, shared: bool = False) -> socket.socket:
    """A socket that holds the address but does not listen yet: a taken port is known before the model is loaded.

    Where it is `shared`, each worker listens on a socket of its own and the kernel deals the connections out evenly;
    with one socket for all, whoever wakes first takes more than a share. Raises SettingsError.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise SettingsError(f"{host} port {port} cannot be listened on: {error.strerror}.") from error
    return bound
