"""uvicorn, taught to leave politely."""

import signal
import socket
from math import ceil
from time import monotonic
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from app.settings import Settings, SettingsError

log = structlog.get_logger("bodyregion.server")


class Server(uvicorn.Server):
    """On SIGTERM: unready at once, serving on while balancers notice, then closed, finished and gone with exit code 0."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        self._app = app
        self._notice_seconds = settings.drain_seconds / 2
        self._leave_at: float | None = None
        self.interrupted = False
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                lifespan="off",  # `run` enters it, so that a bad bundle is our sentence and not uvicorn's traceback
                ws="none",
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_graceful_shutdown=ceil(settings.drain_seconds / 2),
            )
        )

    async def run_app(self) -> None:
        """Take the address, load and check the model, then listen. Raises SettingsError or BundleError."""
        with bind(self.config.host, self.config.port) as address:
            async with self._app.router.lifespan_context(self._app):
                await self.serve([address])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        log.info("ready", address=f"http://{f'[{host}]' if ':' in host else host}:{port}")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig == signal.SIGTERM and self._leave_at is None:
            self._app.state.service.draining = True
            self._leave_at = monotonic() + self._notice_seconds
        else:
            self.interrupted = sig == signal.SIGINT
            self.force_exit = self.should_exit
            self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        if self._leave_at is not None and monotonic() >= self._leave_at:
            self.should_exit = True
        return await super().on_tick(counter)


def bind(host: str, port: int) -> socket.socket:
    """A socket that holds the address but does not listen yet: a taken port is known before the model is loaded."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise SettingsError(f"{host} port {port} cannot be listened on: {error.strerror}.") from error
    return bound
