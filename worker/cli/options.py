"""Options of several commands, and how their values are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from datetime import datetime

ProjectOption = Annotated[
    Path | None,
    typer.Option("--project", envvar="PLGSYNC_PROJECT", help="The project folder (default: here).", show_default=False),
]
AsOfOption = Annotated[
    str | None,
    typer.Option("--as-of", help="The moment to compute for, ISO 8601; without a zone it is UTC (default: now)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
JsonLogsOption = Annotated[
    bool, typer.Option("--json-logs", help="Log every stage as a JSON line on stderr, as workers do.")
]

_FIRST_YEAR, _LAST_YEAR = 1990, 9000
"""Earlier times are not believed; the windows around later ones leave the calendar."""


def moment_of(text: str | None) -> datetime:
    """The moment of ``--as-of`` in UTC and whole seconds; without the option, now."""
    from datetime import UTC, datetime

    from connectors.clock import now

    if text is None:
        return now().replace(microsecond=0)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f'"{text}" is not a date or a time such as 2026-06-30 or 2026-06-30T08:00Z') from None
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise typer.BadParameter(f'"{text}" is not between {_FIRST_YEAR} and {_LAST_YEAR}')
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.replace(microsecond=0)  # the precision of the store
