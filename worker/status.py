"""How it stands: what ran, what waits, what was spent today, and what needs a person. Asks no CRM anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, case, func, select

from worker.alerts.book import open_alerts, untold
from worker.alerts.conditions import find_conditions
from worker.alerts.facts import gather
from worker.delivery.row_states import depth
from worker.settings.project import Project
from worker.store.daily_calls import DAY_S, calls_of, day_of, quotas
from worker.store.endings import load_endings
from worker.store.engine import database_time
from worker.store.tables import ledger, runs

SCORES = "scores"
"""Who writes the fields that no single playbook owns."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a schedule, a command or the reading of a CRM ended last; ``next_at`` only of a schedule."""

    name: str
    job: str
    at: str | None
    ok_at: str | None
    kind: str
    problem: str
    next_at: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Rows of one destination that stand alike; ``late_s`` is for how long the oldest has been due."""

    destination: str
    standing: str
    rows: int
    late_s: float
    until: str | None


@dataclass(frozen=True, slots=True)
class Spent:
    """What one playbook (or the scores) had written today, and its share of the write calls, about."""

    destination: str
    playbook: str
    applied: int
    rejected: int
    unsettled: int
    write_calls: float


@dataclass(frozen=True, slots=True)
class Calls:
    """A destination's API calls today; what is left is as the CRM said at ``seen_at``, None when it never did."""

    destination: str
    calls: int
    write_calls: int
    refused_429: int
    left: int | None
    limit: int | None
    seen_at: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """Everything of one moment. ``needs_person`` says in words what somebody has to do something about."""

    at: str
    last_run: Mapping[str, Any] | None
    ran: Sequence[Ran]
    outbox: Sequence[Waiting]
    spent: Sequence[Spent]
    calls: Sequence[Calls]
    alerts: Sequence[Mapping[str, Any]]
    needs_person: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """The status as JSON."""
        return asdict(self)


def status_of(connection: Connection, project: Project) -> Status:
    """The status as of now, by the state database alone."""
    at = database_time(connection)
    waiting = [
        Waiting(
            row["destination"],
            row["standing"],
            row["rows"],
            round(row["late"], 1),
            _iso(row["due_at"]) if row["standing"] == "quota" else None,
        )
        for row in depth(connection)
    ]
    return Status(
        at=_iso(at) or "",
        last_run=_last_run(connection),
        ran=list(_ran(connection, project, at)),
        outbox=waiting,
        spent=_spent(connection, at),
        calls=_calls(connection, project, at),
        alerts=[
            {"kind": row["kind"], "subject": row["subject"], "text": row["text"], "since": _iso(row["opened_at"])}
            for row in open_alerts(connection)
        ],
        needs_person=list(_needs_person(connection, project, waiting)),
    )


def _iso(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _last_run(connection: Connection) -> Mapping[str, Any] | None:
    row = connection.execute(select(runs).order_by(runs.c.committed_at.desc()).limit(1)).mappings().first()
    return {**row, "committed_at": _iso(row["committed_at"])} if row else None


def _ran(connection: Connection, project: Project, at: float) -> Iterable[Ran]:
    endings = {row["name"]: row for row in load_endings(connection)}
    for name, schedule in project.schedule.schedules.items():
        row = endings.pop(name, None) or {"at": None, "ok_at": None, "kind": "", "problem": ""}
        following = schedule.next_slot(datetime.fromtimestamp(at, UTC)) if schedule.enabled else None
        yield Ran(
            name,
            schedule.job,
            _iso(row["at"]),
            _iso(row["ok_at"]),
            row["kind"],
            row["problem"],
            following.strftime("%Y-%m-%dT%H:%M:%SZ") if following else None,
        )
    for name, row in endings.items():
        yield Ran(name, row["job"], _iso(row["at"]), _iso(row["ok_at"]), row["kind"], row["problem"])


def _spent(connection: Connection, at: float) -> Sequence[Spent]:
    """Effects of today by destination and playbook; calls are shared out by the number of effects of each kind."""
    who = case((ledger.c.playbook_id != "", ledger.c.playbook_id), else_=SCORES).label("who")
    rows = connection.execute(
        select(ledger.c.destination, who, ledger.c.kind, ledger.c.status, func.count())
        .where(ledger.c.at >= at - at % DAY_S)
        .group_by(ledger.c.destination, who, ledger.c.kind, ledger.c.status)
    ).all()
    calls = {(row["destination"], row["kind"]): row["write_calls"] for row in calls_of(connection, day_of(at))}
    of_kind: dict[tuple[str, str], int] = {}
    for destination, _, kind, _, count in rows:
        of_kind[destination, kind] = of_kind.get((destination, kind), 0) + count
    totals: dict[tuple[str, str], dict[str, float]] = {}
    for destination, playbook, kind, status, count in rows:
        total = totals.setdefault((destination, playbook), {})
        total[status] = total.get(status, 0) + count
        share = calls.get((destination, kind), 0) * count / of_kind[destination, kind]
        total["calls"] = total.get("calls", 0.0) + share
    return [
        Spent(
            destination,
            playbook,
            int(total.get("applied", 0)),
            int(total.get("rejected", 0)),
            int(total.get("retry", 0) + total.get("unknown", 0)),
            round(total["calls"], 1),
        )
        for (destination, playbook), total in sorted(totals.items())
    ]


def _calls(connection: Connection, project: Project, at: float) -> Sequence[Calls]:
    today = calls_of(connection, day_of(at))
    said = {row["destination"]: row for row in quotas(connection) if day_of(row["seen_at"]) == day_of(at)}
    found = []
    for name in project.crm.destinations:
        rows = [row for row in today if row["destination"] == name]
        quota = said.get(name)
        found.append(
            Calls(
                name,
                sum(row["calls"] for row in rows),
                sum(row["write_calls"] for row in rows),
                sum(row["refused_429"] for row in rows),
                quota["calls_left"] if quota else None,
                quota["calls_limit"] if quota else None,
                _iso(quota["seen_at"]) if quota else None,
            )
        )
    return found


def _needs_person(connection: Connection, project: Project, waiting: Sequence[Waiting]) -> Iterable[str]:
    yield from (condition.text for condition in find_conditions(gather(connection, project), project.alerts.when))
    for row in waiting:
        if row.standing == "parked":
            yield f"{row.destination} refused {row.rows} writes: plgsync outbox list --state parked says why"
    for file in sorted({problem.file for problem in project.refused}):
        yield f"{file} is wrong and left out: plgsync check --offline says why"
    if count := untold(connection):
        yield f"{count} alerts could not be sent so far: plgsync alerts test NAME says why"
