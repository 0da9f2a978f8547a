"""The calls made to each CRM, by quarter of an hour, kind and playbook, and the daily quota that each CRM reports.

Calls are counted by quarter of an hour because in every time zone midnight falls on one. A call that carries the tasks
of several playbooks counts for each in part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, case, func, select

from worker.store.engine import database_time
from worker.store.tables import call_counts, quotas
from worker.store.upsert import insert_into

QUARTER_S = 900
DAY_S = 86_400

READ = "read"
"""The kind of all calls that were not made to write operations."""

For = tuple[str, str]
"""What calls were for: the kind of operation (`READ` where nothing is written) and the playbook, if one asked."""


@dataclass(frozen=True, slots=True)
class DailyQuota:
    """The newest quota that a CRM reported: all apps' calls, the limit; without ``ends`` the last 24 hours count."""

    limit: int | None
    used: int | None
    ends: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsSpent:
    """One destination's calls of its day: ours by what they were for, and what its CRM said of everybody's.

    ``since`` is when that day began, ``refused`` how many of our calls the CRM called too fast. ``used`` and ``limit``
    are None while it has not said; ``as_of`` is when it last did.
    """

    destination: str
    ours: Mapping[For, float]
    since: datetime
    refused: int = 0
    used: int | None = None
    limit: int | None = None
    day_ends: datetime | None = None
    as_of: datetime | None = None

    @property
    def total(self) -> int:
        """All calls of ours."""
        return round(sum(self.ours.values()))

    @property
    def writing(self) -> int:
        """Those it took to write something; what had to be looked up for that counts."""
        return round(sum(calls for (kind, _), calls in self.ours.items() if kind != READ))

    @property
    def left(self) -> int | None:
        """What is left for all apps, as far as the CRM has said."""
        return None if self.limit is None or self.used is None else max(0, self.limit - self.used)


def calls_spent(connection: Connection) -> list[CallsSpent]:
    """What was called today, by destination: since its CRM's midnight, or in the last 24 hours where those count."""
    now = database_time(connection)
    stored = {row.destination: row for row in connection.execute(select(quotas))}
    names = connection.execute(
        select(call_counts.c.destination).where(call_counts.c.quarter > int((now - DAY_S) // QUARTER_S))
    )
    spent = []
    for name in sorted({*names.scalars(), *stored}):
        row = stored.get(name)
        ends = row.day_ends if row else None
        over = row is not None and (ends or row.told_at + DAY_S) <= now
        since = day_start(now, ends)
        spent.append(
            CallsSpent(
                destination=name,
                ours=calls_since(connection, name, since),
                since=datetime.fromtimestamp(since, UTC),
                refused=_refused_since(connection, name, since),
                used=row.day_used if row and not over else None,
                limit=row.day_limit if row else None,
                day_ends=None if row is None or ends is None or over else datetime.fromtimestamp(ends, UTC),
                as_of=datetime.fromtimestamp(row.told_at, UTC) if row else None,
            )
        )
    return spent


def day_start(now: float, ends: float | None) -> float:
    """The start of the day that ends at ``ends``; after that moment, the start of the next day."""
    if ends is None:
        return now - DAY_S
    return ends if ends <= now else ends - DAY_S


def calls_since(connection: Connection, destination: str, since: float) -> dict[For, float]:
    """Our calls from the quarter of an hour of ``since`` on (seconds since 1970), by what they were for."""
    rows = connection.execute(
        select(call_counts.c.kind, call_counts.c.playbook_id, func.sum(call_counts.c.calls))
        .where(call_counts.c.destination == destination, call_counts.c.quarter >= int(since // QUARTER_S))
        .group_by(call_counts.c.kind, call_counts.c.playbook_id)
    )
    return {(kind, playbook_id): float(calls) for kind, playbook_id, calls in rows}


def _refused_since(connection: Connection, destination: str, since: float) -> int:
    refused = select(func.sum(call_counts.c.refused)).where(
        call_counts.c.destination == destination, call_counts.c.quarter >= int(since // QUARTER_S)
    )
    return round(connection.execute(refused).scalar() or 0.0)


def add_calls(
    connection: Connection, destination: str, calls: Mapping[For, float], refused: Mapping[For, float]
) -> None:
    """Count calls of ours for this quarter of an hour."""
    quarter = int(database_time(connection) // QUARTER_S)
    insert = insert_into(connection, call_counts)
    more = insert.on_conflict_do_update(
        index_elements=["destination", "quarter", "kind", "playbook_id"],
        set_={name: call_counts.c[name] + insert.excluded[name] for name in ("calls", "refused")},
    )
    for kind, playbook_id in sorted({*calls, *refused}):
        spent_on = {"destination": destination, "quarter": quarter, "kind": kind, "playbook_id": playbook_id}
        counts = {"calls": calls.get((kind, playbook_id), 0.0), "refused": refused.get((kind, playbook_id), 0.0)}
        connection.execute(more, {**spent_on, **counts})


def record_daily_quota(connection: Connection, destination: str, quota: DailyQuota, age_s: float) -> None:
    """Store what the CRM said ``age_s`` seconds ago, unless another worker has stored something newer.

    For the same day, a quota with a count is preferred to one without.
    """
    row = {
        "destination": destination,
        "day_limit": quota.limit,
        "day_used": quota.used,
        "day_ends": quota.ends.timestamp() if quota.ends else None,
        "told_at": database_time(connection) - age_s,
    }
    insert = insert_into(connection, quotas)
    same_day = quotas.c.day_ends.is_not_distinct_from(insert.excluded.day_ends)
    kept, new = quotas.c.day_used.is_not(None), insert.excluded.day_used.is_not(None)
    better = case(
        (same_day & new & ~kept, True),
        (same_day & kept & ~new, False),
        else_=quotas.c.told_at <= insert.excluded.told_at,
    )
    connection.execute(
        insert.on_conflict_do_update(index_elements=["destination"], set_=dict(insert.excluded), where=better), row
    )


def daily_quota(connection: Connection, destination: str) -> tuple[DailyQuota, float] | None:
    """The newest quota that any worker stored, and its age in seconds."""
    row = connection.execute(select(quotas).where(quotas.c.destination == destination)).one_or_none()
    if row is None:
        return None
    ends = datetime.fromtimestamp(row.day_ends, UTC) if row.day_ends else None
    return DailyQuota(row.day_limit, row.day_used, ends), database_time(connection) - row.told_at
