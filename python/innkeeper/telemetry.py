"""Logs: structured, on stderr, events as nouns with fields.

Everything takes one way: our own events and those of the libraries that use `logging`. Bodies,
headers and local variables are never logged, so that no secret of a caller can be.
"""

from __future__ import annotations

import logging
import sys
from typing import Final, TextIO

import structlog
from structlog.typing import Processor

#: Libraries that tell more than an operator wants to know at our level.
_QUIET: Final = ("uvicorn", "uvicorn.error", "sqlalchemy", "aiosqlite", "asyncio", "httpx")

_SHARED: Final[tuple[Processor, ...]] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def configure_logs(level: str, rendering: str = "auto", stream: TextIO | None = None) -> None:
    """Write logs to a stream, stderr by default; calling it again changes how.

    `level` is debug, info, warning or error; `rendering` is console, json, or auto: console on a
    terminal, else json.
    """
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_formatter(rendering, stream))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    _configure_structlog()


def _configure_structlog() -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _formatter(rendering: str, stream: TextIO) -> logging.Formatter:
    console = rendering == "console" or (rendering == "auto" and stream.isatty())
    renderers = _console(stream) if console else _json()
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
    )


def _console(stream: TextIO) -> list[Processor]:
    plain = structlog.dev.plain_traceback
    colors = stream.isatty()
    return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]


def _json() -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(default=str),
    ]
