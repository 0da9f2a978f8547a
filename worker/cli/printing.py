"""What is printed: a result as text or JSON, what was left out, and the one message of a failure."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from worker.pipeline.compute import Computed
    from worker.reports.reader import Reader


def show(result: Any, as_json: bool, data: Any) -> None:
    """Print either the rendered result or its JSON."""
    if as_json:
        import json

        sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n")
    else:
        console().print(result)


def announce(line: str) -> None:
    """Print one line at once: somebody waits for it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def say_refused(computed: Computed) -> None:
    """Wrong playbooks were left out, or their last good version ran; the run itself went on."""
    for problem in computed.invalid:
        sys.stderr.write(problem.format() + "\n")
    for file in computed.last_good_files:
        sys.stderr.write(f"{file}: until this is mended, its last good version keeps running\n")


@contextmanager
def reading(project: Path | None) -> Iterator[Reader]:
    """Open a project for a report; a problem with its settings is one line on stderr, and the report goes on."""
    from worker.reports.reader import open_reader

    with open_reader(project) as reader:
        if reader.problem:
            sys.stderr.write(reader.problem + "\n")
        yield reader


def fail(message: str, code: int = 1) -> NoReturn:
    """End with one message on stderr, after whatever was printed."""
    sys.stdout.flush()
    sys.stderr.write(message.rstrip() + "\n")
    raise SystemExit(code)


def console() -> Console:
    """Where text goes: as wide as the terminal, and of one width where there is none."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 110
    return Console(width=width, highlight=False, soft_wrap=False)


def log_stages(*, as_json: bool) -> None:
    """Log as workers do where ``--json-logs`` asks for it; else nothing is logged but a crash."""
    if as_json:
        from worker.telemetry.logs import log_for_machines

        log_for_machines()
