"""One process of the service: its own event loop, its own model, an address it may share."""

import asyncio
import os
import socket
import sys

from app import logs, threads
from app.main import create_app
from app.model.bundle import BundleError
from app.server import Server, bind
from app.settings import Settings

BAD_BUNDLE, INTERRUPTED = 3, 130


def work(address: socket.socket, chosen: Settings) -> int:
    """Serve at `address` until told to stop; the exit code."""
    logs.configure(chosen.log_level)
    os.environ |= threads.environment(chosen.cores) | os.environ  # an operator's own choice wins
    server = Server(create_app(chosen), chosen)
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(server.run_app(address))
    return INTERRUPTED if server.interrupted else 0


def main(chosen: Settings) -> None:
    """The same as one process of several."""
    try:
        with bind(chosen.host, chosen.port, shared=True) as address:
            sys.exit(work(address, chosen))
    except BundleError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(BAD_BUNDLE)
