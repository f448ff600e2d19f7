"""What a service says to a person at a terminal, on standard error. Imported before all else, so it imports next to nothing."""

import os
from contextlib import suppress

FORMAT_VARIABLE = "BODYREGION_LOG_FORMAT"
AUTO, CONSOLE = "auto", "console"
STDOUT, STDERR = 1, 2
STOPPING = "stopping"


def is_read(log_format: str, *descriptors: int) -> bool:
    """Whether a person reads what is written to all of these: they are terminals, or the format is asked for."""
    return log_format == CONSOLE or (log_format == AUTO and all(map(os.isatty, descriptors)))


def say(line: str) -> None:
    over_echo = "\r" if os.isatty(STDERR) else ""  # of ^C, which stands where the line begins
    with suppress(OSError):  # the terminal was closed, and the service goes on
        os.write(STDERR, f"{over_echo}{line}\n".encode())  # whole, and from within a signal handler too


class Status:
    """Says what becomes of a service once all of its workers have told, so once however many they are."""

    def __init__(self, log_format: str, workers: int) -> None:
        self._is_read, self._workers = is_read(log_format, STDERR), workers
        self._told: dict[str, list[int]] = {}  # requests in flight, by what was told
        self._stops = False

    def tell(self, what: str, requests: int = 0) -> None:
        """Take the word of one worker, which has so many requests in flight."""
        told = self._told.setdefault(what, [])
        told.append(requests)
        self._stops |= what == STOPPING
        if len(told) == self._workers:
            total = sum(self._told.pop(what))
            flight = f", {total} request{'' if total == 1 else 's'} in flight" if what == STOPPING else ""
            self._say(what + flight)

    def stopped(self) -> None:
        if self._stops:
            self._say("stopped")

    def _say(self, line: str) -> None:
        if self._is_read:
            say(line)
