"""Several workers at one address, forked from a process that has imported everything once."""

import gc
import os
import signal
import tempfile
import time
from multiprocessing import Pipe, connection, get_context
from multiprocessing.process import BaseProcess
from types import FrameType

import structlog

from app.model import checkpoint
from app.model.bundle import Bundle
from app.serving.server import bind
from app.serving.signals import INTERRUPTED, SIGNALS, tidily
from app.serving.terminal import Status
from app.settings import Settings, SettingsError

FATAL_CODES = (2, 3)  # exit codes that another try would not change
COUNTERS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
REPLACEMENT = "replacement"  # for a worker that died
RESTART_PAUSE_SECONDS = 1.0  # before a worker that died is replaced

log = structlog.get_logger()


class Supervisor:
    """Starts them, replaces those that die, and passes SIGTERM, SIGINT and SIGHUP on."""

    def __init__(self, settings: Settings, opened: Bundle, status: Status) -> None:
        self._settings, self._opened, self._status = settings, opened, status
        self._heard, self._telling = Pipe(duplex=False)  # what workers tell; so short that each is written whole
        self._context = get_context("fork")  # most of what is imported counts once for all of them
        self._processes: list[BaseProcess] = []
        self._leaving, self._code = False, 0

    def run(self) -> int:
        """Serve until told to stop; the exit code. Raises SettingsError or BundleError."""
        bind(self._settings.host, self._settings.port).close()  # another service there would share it unnoticed
        with tidily():
            opened = checkpoint.compiled(self._opened, self._settings.cache)
        _prepare()
        for number in SIGNALS:
            signal.signal(number, self._signal_all)
        with _scratch() as metrics, bind(self._settings.host, self._settings.port, shared=True) as held:
            self._settings = self._settings.model_copy(update={"port": held.getsockname()[1]})
            os.environ[COUNTERS_VARIABLE] = metrics
            for _ in range(self._settings.workers):
                self._start(opened)
            return self._watch()

    def _watch(self) -> int:
        """Wait for deaths until none is left; the worst exit code of those that were not meant."""
        while self._processes:
            connection.wait([self._heard, *(process.sentinel for process in self._processes)])
            while self._heard.poll():
                self._status.tell(*self._heard.recv())
            for process in [process for process in self._processes if process.exitcode is not None]:
                self._code = max(self._code, self._on_exit(process))
        return self._code

    def _on_exit(self, process: BaseProcess) -> int:
        """What the death of `process` means: nothing more while leaving, the end of all, or another in its place."""
        from prometheus_client.multiprocess import mark_process_dead

        self._processes.remove(process)
        mark_process_dead(process.pid)  # type: ignore[no-untyped-call]
        code = process.exitcode or 0
        if self._leaving:
            return max(code, 0)
        if code in FATAL_CODES and process.name != REPLACEMENT:  # else the bundle went bad later: others serve
            self._signal_all(signal.SIGTERM)
            return code
        log.error("worker died", pid=process.pid, exit_code=code)
        time.sleep(RESTART_PAUSE_SECONDS)
        self._start(name=REPLACEMENT)
        return 0

    def _start(self, opened: Bundle | None = None, name: str | None = None) -> None:
        from app.serving import worker

        process = self._context.Process(target=worker.main, args=(self._settings, opened, self._tell), name=name)
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until the child has handlers of its own
        try:
            if not self._leaving:
                process.start()
                self._processes.append(process)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _tell(self, *what: str | int) -> None:
        """Of a worker to its supervisor."""
        self._telling.send(what)

    def _signal_all(self, number: int, frame: FrameType | None = None) -> None:
        self._leaving = self._leaving or number != signal.SIGHUP
        self._code = max(self._code, INTERRUPTED if number == signal.SIGINT else 0)
        for process in self._processes:
            if process.pid and process.is_alive():
                os.kill(process.pid, number)


def _scratch() -> "tempfile.TemporaryDirectory[str]":
    """A folder for the counters that workers share."""
    try:
        return tempfile.TemporaryDirectory(prefix="bodyregion-")
    except OSError as error:
        raise SettingsError("Several workers need a temporary folder to write to; set TMPDIR.") from error


def _prepare() -> None:
    """Import what the workers need and leave it alone: what nobody writes to is shared."""
    os.environ[COUNTERS_VARIABLE] = ""  # Prometheus' client looks once, on import, whether there will be any
    from app.serving import worker  # noqa: F401

    gc.collect()
    gc.freeze()
