"""A plan as text for an admin, before anything is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table

from connectors.base import Scalar
from worker.language.plural import counted
from worker.pipeline.compute import Computed
from worker.planning.plan import Plan, RecordChange
from worker.rendering.console import OneLine
from worker.rendering.remarks import account_name, remarks, some

SHOWN = 20


def render_plan(computed: Computed, guard: Sequence[str]) -> RenderableType:
    """What would be written: totals, tasks, then the first records field by field."""
    plan = computed.plan
    parts: list[RenderableType] = [OneLine(line) for line in _totals(plan)]
    parts += [OneLine(f"  {line}") for line in remarks(computed)]
    if any(not change.at for change in plan.steps):
        parts.append(OneLine("  To let those that stop go on, put the step back before the next run."))
    if plan.new_records:
        parts.append(_new_records(computed))
    if plan.tasks:
        parts.append(_tasks(computed))
    if plan.records:
        parts.append(_records(computed))
    if len(plan.records) > SHOWN:
        parts.append(
            OneLine(f"… and {counted(len(plan.records) - SHOWN, 'more record')}; plgsync plan --json shows all")
        )
    parts += [OneLine(f"guard: {reason}", style="red") for reason in guard]
    if guard:
        parts.append(OneLine("A run would queue nothing. To approve: plan --out FILE, then run --apply FILE."))
    return Group(*parts)


def _totals(plan: Plan) -> Iterable[str]:
    records = Counter(change.destination for change in plan.records if not change.parked)
    tasks = Counter((change.destination, change.kind) for change in plan.tasks if not change.no_owner)
    on_hold = Counter(change.destination for change in plan.tasks if change.no_owner)
    parked = Counter(change.destination for change in plan.records if change.parked)
    made = Counter(record.destination for record in plan.new_records if record.state != "parked")
    unmatched = Counter(one.destination for one in plan.unmatched)
    yield f"Plan as of {plan.as_of}; nothing has been written."
    for name, known in plan.known_records.items():
        done = ", ".join(
            f"{counted(n, 'task')} to {kind.removeprefix('task_')}" for (d, kind), n in tasks.items() if d == name
        )
        yield (
            f"  {name}: {records[name]} of {counted(known, 'record')} would change, {done or 'no tasks'}"
            + (f", {counted(on_hold[name], 'task')} held" if on_hold[name] else "")
            + (f", {counted(made[name], 'new record')}" if made[name] else "")
            + (f", {parked[name]} rejected before and unchanged" if parked[name] else "")
            + (f", {counted(unmatched[name], 'account')} not matched" if unmatched[name] else "")
        )
    for name, problem in plan.problems.items():
        yield f"  {name}: {problem}"
    for name, fields in plan.missing_fields.items():
        yield f"  {name} has no field {', '.join(fields)}; run: plgsync crm setup {name}"


_STATES = {"new": "new", "queued": "already queued", "parked": "rejected before and unchanged"}


def _new_records(computed: Computed) -> Table:
    table = Table(title="New records", title_justify="left", header_style="bold")
    for title in ("destination", "object", "account", "state", "starts with"):
        table.add_column(title, overflow="fold")
    made = computed.plan.new_records
    for record in made[:SHOWN]:
        name = _names(computed, record.members or (record.account_id,))
        table.add_row(record.destination, record.object, name, _STATES[record.state], ", ".join(record.values))
    if len(made) > SHOWN:
        table.caption = f"… and {len(made) - SHOWN} more; plgsync plan --json shows all"
    return table


def _tasks(computed: Computed) -> Table:
    table = Table(title="Tasks", title_justify="left", header_style="bold")
    for title in ("destination", "what", "account", "playbook", "subject", "due", "person"):
        table.add_column(title, overflow="fold")
    for change in computed.plan.tasks[: 2 * SHOWN]:
        table.add_row(
            change.destination,
            change.kind.removeprefix("task_"),
            account_name(computed, change.account_id),
            change.playbook_id,
            str(change.payload.get("subject", "")),
            str(change.payload.get("due", "")),
            change.no_owner or change.no_person or ("named" if change.payload.get("person_id") else ""),
        )
    return table


def _records(computed: Computed) -> Table:
    table = Table(title="Fields", title_justify="left", header_style="bold")
    for title in ("destination", "account", "field", "old", "new"):
        table.add_column(title, overflow="fold")
    for change in computed.plan.records[:SHOWN]:
        for row in _field_rows(computed, change):
            table.add_row(*row)
        table.add_section()
    return table


def _field_rows(computed: Computed, record: RecordChange) -> Iterable[tuple[str, str, str, OneLine, OneLine]]:
    usual = next(view.settings.account.object for view in computed.views if view.name == record.destination)
    other = f" ({record.object})" if record.object != usual else ""
    shared = f", record of {_names(computed, record.members)}" if record.members else ""
    first = (record.destination, account_name(computed, record.account_id) + other + shared)
    for change in record.changes:
        style = "dim" if record.parked else "green"
        new = OneLine(_shown(change.new), style=style)
        if change.accounts:
            new.append(f"  from {_names(computed, change.accounts)}", style="dim")
        yield (*first, change.field, OneLine(_shown(change.old), style="dim"), new)
        first = ("", "")


def _names(computed: Computed, accounts: Sequence[str]) -> str:
    return some([account_name(computed, account_id) for account_id in accounts])


def _shown(value: Scalar) -> str:
    return "(empty)" if value is None else str(value)
