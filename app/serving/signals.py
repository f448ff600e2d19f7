"""What a signal means to a service that does not listen yet. Imported before all else, so it imports next to nothing."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
LEAVE = (signal.SIGTERM, signal.SIGINT)
SIGNALS = (*LEAVE, signal.SIGHUP)


def leave_when_told(leave: Callable[[int], object] = os._exit) -> None:
    """Until the server listens for signals itself they end the process; there is nothing to reload yet.

    Not by an exception: what is importing a module or making a class may swallow it, or raise another in its place.
    """

    def told(number: int, frame: FrameType | None) -> None:
        for each in LEAVE:
            signal.signal(each, signal.SIG_IGN)  # once is enough: a second would disturb the tidying
        leave(INTERRUPTED if number == signal.SIGINT else 0)

    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for each in LEAVE:
        signal.signal(each, told)


@contextmanager
def tidily() -> Iterator[None]:
    """Here by an exception after all, so that what was begun is put away."""
    leave_when_told(sys.exit)
    try:
        yield
    finally:
        leave_when_told()
