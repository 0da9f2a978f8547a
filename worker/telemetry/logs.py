"""Logging: one line a stage, ids and counts, never a value, a token or a person."""

from __future__ import annotations

import logging
import sys

import structlog

from worker.telemetry.tracing import name_trace


def log_for_people() -> None:
    """For commands, which say themselves what went wrong: nothing below a crash is logged."""
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.dev.ConsoleRenderer(colors=False)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def log_for_machines() -> None:
    """For workers: every stage as one JSON line on stderr, with its time in UTC and what it belongs to.

    What libraries have to say goes the same way from a warning on, without its arguments: these may hold values.
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
    root.handlers = [_FromLibraries()]
    root.setLevel(logging.WARNING)


class _FromLibraries(logging.Handler):
    """A library's line as one of ours: who said it and its pattern, such as ``Retrying in %s seconds``."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the pattern, and the kind of the error behind it."""
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        pattern = record.msg if isinstance(record.msg, str) and record.args else record.name
        structlog.get_logger().log(
            record.levelno, "library", logger=record.name, pattern=pattern, **({"kind": kind} if kind else {})
        )
