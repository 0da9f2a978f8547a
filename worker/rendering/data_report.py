"""The data report: one row per table, and the remarks of a run in short."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from worker.language.plural import counted
from worker.signals.data_report import DataReport
from worker.signals.table_findings import TableFindings

_SHOWN = 8


def render_data_report(report: DataReport) -> Table:
    """How much there is of every table, and how much of it is not used."""
    table = Table(title="Data", title_justify="left", header_style="bold")
    table.add_column("table")
    for title in ("rows", "newest", "missing", "repeats", "unreadable", "not believed", "joins"):
        table.add_column(title, justify="right")
    for found in report.tables:
        table.add_row(*_row(found))
    return table


def _row(found: TableFindings) -> tuple[str, ...]:
    counts = (
        sum(found.missing.values()),
        found.repeats,
        sum(column.unreadable for column in found.columns),
        sum(column.disbelieved for column in found.columns),
    )
    newest = "–" if found.newest is None else f"{found.newest:%Y-%m-%d}"
    shares = [join.share for join in found.joins if join.other == "accounts" and join.share is not None]
    joins = f"{_floored(shares[0])} %" if shares else "–"
    return (found.name, f"{found.rows:,}", newest, *(f"{count:,}" if count else "–" for count in counts), joins)


def _floored(share: float) -> str:
    """A share in per cent that is 100 only where nothing is lost."""
    return f"{int(share * 1000) / 10:g}"


def data_remarks(remarks: Sequence[tuple[str, str]]) -> list[str]:
    """The remarks of a report as lines, the first few of them."""
    lines = [f"{table}: {remark}" for table, remark in remarks[:_SHOWN]]
    more = len(remarks) - _SHOWN
    return [*lines, f"… and {counted(more, 'more remark')} on the data; plgsync check shows all"] if more > 0 else lines
