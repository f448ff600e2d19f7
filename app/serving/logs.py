"""Everything this process says on standard output: one JSON object a line, or lines for a person at a terminal."""

import logging
import os
import sys
from contextlib import suppress
from io import TextIOBase

import structlog
from structlog.typing import EventDict, Processor

from app.serving import terminal

SHOWN_OF_REQUEST = ("method", "route", "status", "ms")  # where a person reads; JSON has the id too
TOLD = ("ready", "bundle taken over")  # of each worker; a person is told once for all, by `terminal.Status`


class Output(TextIOBase):
    """Standard output, or error, without the lines it has no room for: a full disk under the log should cost no answer."""

    def __init__(self, to_error: bool) -> None:
        self._to_error = to_error

    def write(self, text: str) -> int:
        stream = sys.stderr if self._to_error else sys.stdout
        with suppress(OSError):
            stream.write(text)
            stream.flush()
        return len(text)


def configure(level: str, log_format: str, to_error: bool = False) -> None:
    """Send structlog's and the standard library's messages to stdout or stderr, for a person where one reads it.

    Libraries say no more than warnings, whatever `level`: Pillow's debugging quotes what is written in pictures.
    """
    descriptors = (terminal.STDERR,) if to_error else (terminal.STDOUT, terminal.STDERR)
    for_person = terminal.is_read(log_format, *descriptors)
    shared: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
        if for_person
        else structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.format_exc_info,
    ]
    rendering = [_shorten, _console(descriptors[0])] if for_person else [structlog.processors.JSONRenderer()]
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(  # past the standard library, which would cost a request 0.05 ms
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(Output(to_error)),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(Output(to_error))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            rendering[-1], foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared]
        )
    )
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it quotes the byte it does not understand


def _console(descriptor: int) -> Processor:
    colors = os.isatty(descriptor) and not os.environ.get("NO_COLOR")
    return structlog.dev.ConsoleRenderer(
        pad_event_to=0, pad_level=False, colors=colors, exception_formatter=structlog.dev.plain_traceback
    )


def _shorten(_: object, __: str, line: EventDict) -> EventDict:
    """A request as "POST /predict 200 3.1 ms"; what a person is told otherwise is left out."""
    if line["event"] in TOLD:
        raise structlog.DropEvent
    if line["event"] == "request":
        del line["id"]
        shown = [line.pop(name) for name in SHOWN_OF_REQUEST if name in line]
        line["event"] = " ".join(map(str, shown)) + " ms" * (len(shown) == len(SHOWN_OF_REQUEST))
    return line
