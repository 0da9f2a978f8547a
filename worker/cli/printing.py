"""What the commands print: a result as text or JSON, invalid playbooks, and the message of a failure."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from connectors.base.values import printable

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from worker.pipeline.compute import Computed
    from worker.reports.reader import Reader


def print_result(result: Any, as_json: bool, data: Any) -> None:
    """Print either the rendered result or its JSON."""
    if as_json:
        import json

        unicode = "utf" in (sys.stdout.encoding or "").lower()
        sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=not unicode, default=str) + "\n")
    else:
        console().print(result)


def announce(line: str) -> None:
    """Print one line and flush it, for a program that waits for it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def print_invalid(computed: Computed) -> None:
    """Print the problems of invalid playbooks; the run went on without them or with their last good version."""
    for problem in computed.invalid:
        warn(problem.format())
    for file in computed.last_good_files:
        warn(f"{file}: until this is fixed, its last good version keeps running")


@contextmanager
def reading(project: Path | None, *, to_change: bool = False) -> Iterator[Reader]:
    """Open a project for a report; a problem with its settings is one line on stderr, and the report goes on."""
    from worker.reports.reader import open_reader

    with open_reader(project, to_change=to_change) as reader:
        if reader.problem:
            warn(reader.problem)
        yield reader


def fail(message: str, code: int = 1) -> NoReturn:
    """Exit with one message on stderr, after what was printed so far."""
    sys.stdout.flush()
    warn(message.rstrip())
    raise SystemExit(code)


def warn(message: str) -> None:
    """Print a message on stderr."""
    sys.stderr.write(printable(message) + "\n")


def console() -> Console:
    """The console for text: as wide as COLUMNS or the terminal; a pipe or a file gets whole lines."""
    from worker.rendering.console import UNFOLDED, PlainConsole
    from worker.settings.environment import columns

    width = None if sys.stdout.isatty() else columns() or UNFOLDED
    return PlainConsole(width=width, soft_wrap=False)


def log_stages(*, as_json: bool) -> None:
    """Log as workers do with ``--json-logs``; without it nothing is logged but a crash."""
    if as_json:
        from worker.telemetry.logs import log_for_machines

        log_for_machines()
