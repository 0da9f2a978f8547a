"""The status: results of jobs, the outbox, calls spent today, and what needs a person. Calls no CRM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, case, func, select

from worker.alerts.alert_store import open_alerts
from worker.delivery.one_sided import OneSided, one_sided
from worker.delivery.row_state import RowState
from worker.delivery.selection import depth
from worker.reports.needs_person import needs_person
from worker.reports.reader import Reader
from worker.settings.project import Project
from worker.store.calls import DAY_S, READ, CallsSpent, calls_spent
from worker.store.engine import database_time
from worker.store.job_results import load_job_results
from worker.store.moments import iso
from worker.store.schedules import next_due
from worker.store.shares import count_shares
from worker.store.sizes import Sizes, sizes
from worker.store.state import last_report
from worker.store.tables import ledger, runs

SCORES = "scores"
"""The writer of fields that no single playbook owns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """The last result of a schedule, a command or the reading of a CRM; ``next_at`` only of a schedule."""

    name: str
    job: str
    at: str | None
    ok_at: str | None
    kind: str
    problem: str
    next_at: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Rows of one destination in the same state; ``late_s`` is for how long the oldest has been due."""

    destination: str
    row_state: RowState
    rows: int
    late_s: float
    until: str | None


@dataclass(frozen=True, slots=True)
class Spent:
    """What one playbook (or the scores) had written in the CRM's day, and the calls that were made for that."""

    destination: str
    playbook: str
    applied: int
    rejected: int
    unsettled: int
    calls: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """A destination's API calls in the CRM's day, and how many of them it took to write.

    ``left`` and ``limit`` are from the CRM's answer at ``seen_at``, None without one; ``refused_429`` counts
    429 answers.
    """

    destination: str
    calls: int = 0
    to_write: int = 0
    refused_429: int = 0
    left: int | None = None
    limit: int | None = None
    seen_at: str | None = None


@dataclass(frozen=True, slots=True)
class SharedRecords:
    """How many companies have one record for all of their accounts in a CRM, and how many accounts these have."""

    destination: str
    companies: int
    accounts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The status at one moment. ``needs_person`` lists, as text, the problems that a person has to solve."""

    at: str
    last_run: Mapping[str, Any] | None
    ran: Sequence[Ran]
    outbox: Sequence[Waiting]
    spent: Sequence[Spent]
    calls: Sequence[Calls]
    alerts: Sequence[Mapping[str, Any]]
    needs_person: Sequence[str]
    database: Sizes
    data_remarks: Sequence[tuple[str, str]] = ()
    """Table and sentence, from the data report of the last run."""
    shared_records: Sequence[SharedRecords] = ()
    """Of each CRM with ``record: parent``, as of the last run."""
    one_sided: Sequence[OneSided] = ()
    """Tasks that are open in one CRM and were withdrawn before they reached another."""

    def to_json(self) -> dict[str, Any]:
        """The status as JSON."""
        return asdict(self)


def read_status(reader: Reader) -> Status:
    """The status as of now. Without valid settings it lacks the next slots, and shows what the store holds."""
    with reader.engine.begin() as connection:
        return _status(connection, reader)


def _status(connection: Connection, reader: Reader) -> Status:
    at, project = database_time(connection), reader.project
    waiting = [
        Waiting(
            row["destination"],
            RowState(row["row_state"]),
            row["rows"],
            round(row["late"], 1),
            _iso(row["due_at"]) if row["row_state"] == RowState.QUOTA else None,
        )
        for row in depth(connection)
    ]
    days = {one.destination: one for one in calls_spent(connection)}
    return Status(
        at=_iso(at) or "",
        last_run=_last_run(connection),
        ran=list(_ran(connection, project, at)),
        outbox=waiting,
        spent=_spent(connection, days, at),
        calls=_calls(days, project),
        alerts=[
            {"kind": row["kind"], "subject": row["subject"], "text": row["text"], "since": _iso(row["opened_at"])}
            for row in open_alerts(connection)
        ],
        needs_person=list(needs_person(connection, reader)),
        database=sizes(connection),
        data_remarks=[(one["table"], one["message"]) for one in (last_report(connection) or {}).get("remarks", ())],
        shared_records=[SharedRecords(*row) for row in count_shares(connection) if _shares_records(project, row[0])],
        one_sided=one_sided(connection),
    )


def _shares_records(project: Project | None, name: str) -> bool:
    """Whether the accounts of a company share a record in this CRM, as far as the settings are known."""
    settings = project.crm.destinations.get(name) if project else None
    return project is None or (settings is not None and settings.account.record == "parent")


def _iso(at: float | None) -> str | None:
    return None if at is None else iso(datetime.fromtimestamp(at, UTC))


def _last_run(connection: Connection) -> Mapping[str, Any] | None:
    newest = select(runs).order_by(runs.c.as_of.desc(), runs.c.committed_at.desc()).limit(1)  # as_of never goes back
    row = connection.execute(newest).mappings().first()
    return {**row, "committed_at": _iso(row["committed_at"])} if row else None


def _ran(connection: Connection, project: Project | None, at: float) -> Iterable[Ran]:
    results = {row["name"]: row for row in load_job_results(connection)}
    schedules = project.schedule.schedules if project else {}
    following = next_due(connection, schedules, datetime.fromtimestamp(at, UTC))
    for name, schedule in schedules.items():
        never = {"name": name, "job": schedule.job, "at": None, "ok_at": None, "kind": "", "problem": ""}
        yield _ran_last(results.pop(name, never), iso(following[name]) if name in following else None)
    for row in results.values():
        yield _ran_last(row, None)


def _ran_last(row: Mapping[str, Any], next_at: str | None) -> Ran:
    at, ok_at = _iso(row["at"]), _iso(row["ok_at"])
    return Ran(
        name=row["name"], job=row["job"], at=at, ok_at=ok_at, kind=row["kind"], problem=row["problem"], next_at=next_at
    )


def _spent(connection: Connection, days: Mapping[str, CallsSpent], at: float) -> Sequence[Spent]:
    """Effects of each CRM's day by playbook, and the calls that were made to write them."""
    totals: dict[tuple[str, str], dict[str, float]] = {}
    for name, day in days.items():
        for (kind, playbook_id), calls in day.ours.items():
            if kind != READ:
                _add(totals, (name, playbook_id or SCORES), "calls", calls)
    who = case((ledger.c.playbook_id != "", ledger.c.playbook_id), else_=SCORES).label("who")
    for name in sorted(connection.execute(select(ledger.c.destination).distinct()).scalars()):
        since = days[name].since.timestamp() if name in days else at - DAY_S
        rows = connection.execute(
            select(who, ledger.c.status, func.count())
            .where(ledger.c.destination == name, ledger.c.at >= since)
            .group_by(who, ledger.c.status)
        )
        for playbook, status, count in rows:
            _add(totals, (name, playbook), status, count)
    return [
        Spent(
            destination,
            playbook,
            int(total.get("applied", 0)),
            int(total.get("rejected", 0)),
            int(total.get("retry", 0) + total.get("unknown", 0)),
            round(total.get("calls", 0.0), 1),
        )
        for (destination, playbook), total in sorted(totals.items())
    ]


def _add(totals: dict[tuple[str, str], dict[str, float]], whose: tuple[str, str], what: str, count: float) -> None:
    total = totals.setdefault(whose, {})
    total[what] = total.get(what, 0.0) + count


def _calls(days: Mapping[str, CallsSpent], project: Project | None) -> Sequence[Calls]:
    found = []
    for name in project.crm.destinations if project else sorted(days):
        day = days.get(name)
        if day is None:
            found.append(Calls(destination=name))
            continue
        seen_at = _iso(day.as_of.timestamp()) if day.as_of and day.left is not None else None
        found.append(
            Calls(
                destination=name,
                calls=day.total,
                to_write=day.writing,
                refused_429=day.refused,
                left=day.left,
                limit=day.limit,
                seen_at=seen_at,
            )
        )
    return found
