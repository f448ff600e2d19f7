"""Everything this process says, as one JSON object a line."""

import logging
import sys
from contextlib import suppress
from io import TextIOBase

import structlog


class Output(TextIOBase):
    """Standard output, without the lines it has no room for: a full disk under the log should cost no answer."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            sys.stdout.write(text)
            sys.stdout.flush()
        return len(text)


def configure(level: str) -> None:
    """Send structlog's and the standard library's messages to stdout.

    Libraries say no more than warnings, whatever `level`: Pillow's debugging quotes what is written in pictures.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.format_exc_info,
    ]
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(  # past the standard library, which would cost a request 0.05 ms
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(Output()),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(Output())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            structlog.processors.JSONRenderer(), foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared]
        )
    )
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it quotes the byte it does not understand
