"""The status as text for an operator; what needs a person comes last."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table

from worker.delivery.row_state import RowState
from worker.language.plural import counted
from worker.rendering.console import OneLine
from worker.rendering.data_report import data_remarks
from worker.reports.status import Ran, SharedRecords, Status, Waiting

_LARGEST = 5


def render_status(status: Status) -> RenderableType:
    """Schedules, outbox, today's effects and calls, open alerts, and what needs a person."""
    parts: list[RenderableType] = [OneLine(f"as of {_time(status.at)}", style="bold"), _last_run(status), _ran(status)]
    parts.append(_outbox(status) if status.outbox else OneLine("the outbox is empty: everything is delivered"))
    parts += [_calls(status)] if status.calls else []
    parts += [_spent(status)] if status.spent else []
    parts += [OneLine(_shared(one)) for one in status.shared_records]
    parts += [OneLine(str(one), style="yellow") for one in status.one_sided]
    parts.append(_database(status))
    parts += [OneLine(line, style="yellow") for line in data_remarks(status.data_remarks)]
    open_ = [f"alert since {_time(one['since'])}: {one['text']}" for one in status.alerts]
    parts += [OneLine(line, style="yellow") for line in open_]
    parts += [OneLine(f"needs a person: {line}", style="red") for line in status.needs_person]
    return Group(*parts, *([] if status.needs_person else [OneLine("nothing needs a person", style="green")]))


def _last_run(status: Status) -> RenderableType:
    last = status.last_run
    if last is None:
        return OneLine("nothing has run yet")
    as_of, at = _time(last["as_of"]), _time(last["committed_at"])
    return OneLine(f"last run {last['id']} as of {as_of}, at {at}, settings {last['config_version']}")


def _ran(status: Status) -> Table:
    table = _table("Last results", "name", "job", "when", "result", "next")
    for ran in status.ran:
        table.add_row(ran.name, ran.job.replace("_", " "), _time(ran.at), _ended(ran), _time(ran.next_at))
    return table


def _ended(ran: Ran) -> OneLine:
    if ran.at is None:
        return OneLine("never ran")
    if not ran.kind:
        return OneLine("ok", style="green")
    good = f"; last ok {_time(ran.ok_at)}" if ran.ok_at else "; never ok"
    return OneLine(f"{ran.problem or ran.kind}{good}", style="red")


def _outbox(status: Status) -> Table:
    table = _table("Outbox", "destination", "state", "rows", "oldest due for")
    for row in status.outbox:
        until = f" until {_time(row.until)}" if row.until else ""
        table.add_row(row.destination, f"{row.row_state.label}{until}", str(row.rows), _age(row))
    return table


def _age(row: Waiting) -> str:
    if row.row_state not in {RowState.WAITING, RowState.DENIED}:
        return "–"
    return f"{row.late_s:.0f} s" if row.late_s < 120 else f"{row.late_s / 60:.0f} min"


def _calls(status: Status) -> Table:
    table = _table("Calls today", "destination", "calls", "of these to write", "too fast (429)", "left")
    for one in status.calls:
        left = "unknown" if one.left is None else f"{one.left:,} of {one.limit:,}"
        table.add_row(one.destination, str(one.calls), str(one.to_write), str(one.refused_429), left)
    return table


def _spent(status: Status) -> Table:
    titles = ("destination", "by", "applied", "rejected", "without an answer", "calls")
    table = _table("Written today", *titles)
    for one in status.spent:
        counts: Iterable[float] = (one.applied, one.rejected, one.unsettled, one.calls)
        table.add_row(one.destination, one.playbook, *(f"{count:g}" for count in counts))
    return table


def _shared(one: SharedRecords) -> str:
    companies = counted(one.companies, "company", "companies")
    shared = f"{counted(one.accounts, 'account')} of {companies} share the record of their company"
    return f"{one.destination}: {shared} (record: parent)"


def _database(status: Status) -> OneLine:
    """The size of the state database and its largest tables."""
    rows = sorted(status.database.rows.items(), key=lambda item: -item[1])
    largest = ", ".join(f"{name} {count:,}" for name, count in rows[:_LARGEST] if count)
    size = f"{status.database.bytes / 1e6:,.1f} MB"
    return OneLine(f"state database: {size}" + (f"; rows: {largest}" if largest else ""))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _time(text: str | None) -> str:
    return "–" if text is None else f"{text[:10]} {text[11:16]} UTC"
