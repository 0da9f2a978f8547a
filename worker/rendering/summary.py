"""The report of a run: accounts by score, what playbooks did, and the writes and calls per CRM."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table

from worker.delivery.row_state import RowState
from worker.language.plural import counted
from worker.pipeline.compute import Computed
from worker.pipeline.run import RunReport
from worker.rendering.console import OneLine
from worker.rendering.data_report import data_remarks
from worker.rendering.remarks import remarks, remarks_json
from worker.settings.score_specs import ScoreSpec, score_specs

_COLOURS = {"green": "green", "yellow": "yellow", "red": "red"}


def counts_by(computed: Computed, name: str) -> Counter[str]:
    """How many accounts have each value of a field; unknown counts as ``unknown``."""
    return Counter("unknown" if row.get(name) is None else str(row[name]) for row in computed.accounts.values())


def report_json(report: RunReport) -> dict[str, Any]:
    """What a run did, as JSON: the same figures as on the screen."""
    computed = report.computed
    return {
        "run_id": report.run_id,
        "as_of": computed.as_of.isoformat(),
        "accounts": len(computed.accounts),
        **{count.key: counts_by(computed, count.field) for spec in score_specs() for count in spec.counts},
        "playbooks": {
            playbook_id: {"counts": dict(run.counts), "blocked": dict(run.blocked), "paused": run.paused}
            for playbook_id, run in computed.playbooks.items()
        },
        "destinations": {one.destination: _destination_json(report, one.destination) for one in report.deliveries},
        "unmatched": Counter(f"{one.destination}: {one.status}" for one in computed.plan.unmatched),
        **remarks_json(computed),
        "data": [{"table": table, "message": message} for table, message in computed.source.report.remarks()],
        "problems": computed.plan.problems,
        "one_sided": [asdict(one) for one in report.one_sided],
        "left_over": [asdict(one) for one in report.left_over],
    }


def _destination_json(report: RunReport, name: str) -> dict[str, Any]:
    delivery = next(one for one in report.deliveries if one.destination == name)
    used = report.calls[name]
    return {
        "applied": delivery.applied,
        "outcomes": delivery.outcomes,
        "stopped": delivery.stopped,
        "calls": used.calls,
        "write_calls": used.write_calls,
        "fewest_write_calls": report.fewest_write_calls[name],
    }


def render_report(reports: Sequence[RunReport]) -> RenderableType:
    """The report of one run or of several in a row: scores of the last run, work summed over all."""
    last = reports[-1]
    computed = last.computed
    over = f" over {counted(len(reports), 'run')}" if len(reports) > 1 else ""
    accounts = counted(len(computed.accounts), "account")
    parts: list[RenderableType] = [
        OneLine(f"{accounts} as of {computed.as_of:%Y-%m-%d %H:%M} UTC · run {last.run_id}{over}"),
        Columns([_score(computed, spec) for spec in score_specs()], padding=(0, 2)),
        _playbooks(reports),
        _destinations(reports),
    ]
    data = data_remarks(list(computed.source.report.remarks()))
    withdrawn = [str(one) for report in reports for one in report.one_sided]
    parts += [OneLine(line, style="yellow") for line in (*data, *_remarks(computed), *withdrawn, *unfinished(last))]
    return Group(*parts)


def _score(computed: Computed, spec: ScoreSpec) -> Table:
    rows: list[tuple[str, int]] = []
    for count in spec.counts:
        found = counts_by(computed, count.field)
        rows += [(value, found.pop(value, 0)) for value in count.first]
        if count.other_values:
            rows += [(value, number) for value, number in found.items() if value not in count.hidden]
    return _counts(spec.label, rows)


def _counts(title: str, rows: Iterable[tuple[str, int]]) -> Table:
    table = Table(title=title, title_justify="left", box=None, show_header=False, padding=(0, 1))
    table.add_column(justify="right")
    table.add_column()
    for name, count in rows:
        table.add_row(str(count), OneLine(name.replace("_", " "), style=_COLOURS.get(name, "")))
    return table


def _playbooks(reports: Sequence[RunReport]) -> Table:
    table = Table(title="Playbooks", title_justify="left", header_style="bold")
    table.add_column("playbook")
    for title in ("tasks", "entered", "left", "inside"):
        table.add_column(title, justify="right")
    table.add_column("not entered, and why")
    for playbook_id, run in reports[-1].computed.playbooks.items():
        tasks = Counter(change.playbook_id for report in reports for change in report.computed.plan.tasks)
        totals = Counter[str]()
        for report in reports:
            totals.update(report.computed.playbooks[playbook_id].counts)
        table.add_row(
            f"{playbook_id} (paused: {run.paused})" if run.paused else playbook_id,
            str(tasks[playbook_id]),
            str(totals["entered"]),
            str(totals["left"]),
            str(run.counts.get("inside", 0)),
            _not_entered(run.counts, run.blocked) or "–",
        )
    return table


_NOT_ENTERED = {
    "already_matching": "matched before it went live",
    "pending": "waiting for “for”",
    "queued": "over a limit",
    "holdout": "in the holdout",
    "already_open": "task open",
    "repeat": "too soon again",
    "preview": "preview only",
    "expired": "waited too long",
}


def _not_entered(counts: Mapping[str, int], blocked: Mapping[str, int]) -> str:
    parts = [f"{counts[key]} {words}" for key, words in _NOT_ENTERED.items() if counts.get(key)]
    if counts.get("blocked_missing"):
        names = ", ".join(name for name, _ in Counter(blocked).most_common(2))
        parts.append(f"{counts['blocked_missing']} missing data ({names})")
    return " · ".join(parts)


def _destinations(reports: Sequence[RunReport]) -> Table:
    table = Table(title="CRMs", title_justify="left", header_style="bold")
    table.add_column("destination")
    for title in ("records", "new", "tasks", "write calls", "fewest possible", "all calls", "not matched", "rejected"):
        table.add_column(title, justify="right")
    plan = reports[-1].computed.plan
    for name in reports[-1].calls:
        deliveries = [one for report in reports for one in report.deliveries if one.destination == name]
        applied = sum((Counter(one.applied) for one in deliveries), Counter[str]())
        unmatched = [one for one in plan.unmatched if one.destination == name]
        ambiguous = sum(1 for one in unmatched if one.status == "ambiguous")
        table.add_row(
            name,
            str(applied.pop("fields", 0)),
            str(applied.pop("record_create", 0)),
            str(applied.total()),
            str(sum(report.calls[name].write_calls for report in reports)),
            str(sum(report.fewest_write_calls[name] for report in reports)),
            str(sum(report.calls[name].calls for report in reports)),
            f"{len(unmatched)} ({ambiguous} ambiguous)" if ambiguous else str(len(unmatched)),
            str(sum(one.outcomes.get("rejected", 0) for one in deliveries)),
        )
    return table


def unfinished(report: RunReport) -> Iterable[str]:
    """What a run could not finish, one line per reason: CRMs it could not read, and rows that wait or were rejected."""
    for name, problem in report.computed.plan.problems.items():
        yield f"{name} was not read, its writes wait: {problem}"
    for one in report.left_over:
        writes = counted(one.rows, "write")
        match one.row_state:
            case RowState.PARKED:
                yield f"{one.destination} rejected {writes}: {one.why}; see plgsync outbox list --state parked"
            case RowState.DEAD:
                yield f"{one.destination}: {writes} given up: {one.why}; see plgsync outbox list --state dead"
            case _:
                yield f"{one.destination}: {writes} waiting: {one.why}"


def _remarks(computed: Computed) -> Iterable[str]:
    plan = computed.plan
    for name, fields in plan.missing_fields.items():
        yield f"{name} has no field {', '.join(fields)}; run: plgsync crm setup {name}"
    invalid = Counter((one.destination, one.reason) for one in plan.invalid)
    for (name, reason), count in invalid.items():
        yield f"{name}: {counted(count, 'value')} not sent: {reason}"
    missing = Counter(
        one.destination for one in plan.unmatched if one.status == "missing" and not (one.not_made or one.shared)
    )
    for name, count in missing.items():
        without = counted(count, "account has", "accounts have")
        yield f"{name}: {without} no record there, by our id or by the fallbacks of config/crm.yaml"
    yield from remarks(computed)
