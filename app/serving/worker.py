"""One process of the service: its own event loop, its own interpreter of the model, an address it may share."""

import asyncio
import signal
import socket
import sys

from app.main import create_app
from app.model import bundle, checkpoint
from app.serving import logs
from app.serving.server import Server, Tell, bind
from app.serving.signals import INTERRUPTED, SIGNALS, leave_when_told, tidily
from app.settings import Settings

BAD_BUNDLE = 3


def serve(address: socket.socket, chosen: Settings, opened: bundle.Bundle, tell: Tell) -> int:
    """Serve `opened` at `address` until told to stop; the exit code. Raises BundleError."""
    logs.configure(chosen.log_level, chosen.log_format)
    with tidily():  # a compiler that runs
        opened = checkpoint.compiled(opened, chosen.cache)
    server = Server(create_app(chosen, opened), chosen, tell)
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(server.run_app(address))
    return INTERRUPTED if server.interrupted else 0


def main(chosen: Settings, opened: bundle.Bundle | None, tell: Tell) -> None:
    """Serve as one process of several; without a bundle, the one that is current by now."""
    leave_when_told()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    try:
        with bind(chosen.host, chosen.port, shared=True) as address:
            sys.exit(serve(address, chosen, opened or bundle.read(chosen.bundle), tell))
    except bundle.BundleError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(BAD_BUNDLE)
