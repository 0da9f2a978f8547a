"""Logging: one line per stage with ids and counts, never a value, a token or a person."""

from __future__ import annotations

import logging
import sys

import structlog

from worker.telemetry.tracing import name_trace


def log_for_people() -> None:
    """Logging of commands: critical errors only, because a command prints its own errors."""
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.dev.ConsoleRenderer(colors=False)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def log_for_machines() -> None:
    """Logging of workers: one JSON line per stage on stderr, with its UTC time and the ids bound to the context.

    Libraries' records from level warning on are logged likewise, without their arguments, which may hold values.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            name_trace,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    root = logging.getLogger()
    root.handlers = [_LibraryHandler()]
    root.setLevel(logging.WARNING)


class _LibraryHandler(logging.Handler):
    """Logs a library's record with its logger and its pattern, such as ``Retrying in %s seconds``."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the pattern and the class of the error."""
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        pattern = record.msg if isinstance(record.msg, str) and record.args else record.name
        structlog.get_logger().log(
            record.levelno, "library", logger=record.name, pattern=pattern, **({"kind": kind} if kind else {})
        )
