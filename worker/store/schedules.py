"""Which scheduled jobs are due: one row per schedule, leased from the tick that found it due until its job ends.

Any number of schedulers may tick, at any time: a slot is leased by one of them at a time. Slots that were missed become
one catch-up. The process that does a job renews the lease. When it dies, the lease ends, and the next tick notes the
death and leases the slot again. A job that failed is due again after a wait that grows with each failure. The last
error stays in the row until the job succeeds.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, Connection, Row, case, select, update

from worker.settings.schedule import Job, Schedule
from worker.store.engine import database_moment, db_now
from worker.store.job_results import record_job_result
from worker.store.moments import AHEAD, iso
from worker.store.tables import schedule_slots
from worker.store.upsert import insert_missing

log = structlog.get_logger()

LEASE_S = 30.0
RENEW_EVERY_S = 10.0
LONGEST_S: Mapping[Job, float] = {"run": 1860.0, "deliver": 180.0, "read_back": 180.0, "prune": 180.0}
"""Longer than the job can take (the time limits: of a run in `worker.tasks`, of the others in `worker.app`)."""
DIED = "the process that did it died or lost the state database; the next tick does it again"
_QUEUED_S = {0: LEASE_S, 1: 60.0, 2: 120.0, 3: 240.0}
_LONG_QUEUED_S = 300.0
"""While no worker starts a job, the next message about it is sent after these seconds: about 15 in the first hour."""
_FIRST_WAIT_S = 60.0
_DEATHS = 3
"""So many failures in a row that a death, or a lost database, costs no wait; after them each costs `_LATER_S`."""
_LATER_S = 300.0
_slots = schedule_slots.c


@dataclass(frozen=True, slots=True)
class DueJob:
    """A job that this process has leased. ``slot`` is the moment it was due, ISO text in UTC."""

    schedule: str
    job: Job
    slot: str
    token: str


def take_due_now(connection: Connection, schedules: Mapping[str, Schedule], *, owner: str = "") -> list[DueJob]:
    """Lease every schedule that is due by the database's clock and has no lease."""
    moment = database_moment(connection)
    reset_future_slots(connection, moment)
    return take_due(connection, schedules, moment, owner=owner)


def take_due(
    connection: Connection, schedules: Mapping[str, Schedule], now: datetime, *, owner: str = ""
) -> list[DueJob]:
    """Lease every schedule that is due at ``now`` and has no lease; the tokens start with ``owner``.

    A job whose process died is due at once, but later when it has failed several times in a row.
    """
    insert_missing(connection, schedule_slots, [{"schedule": name} for name in schedules], unique="schedule")
    due = []
    for name, schedule in sorted(schedules.items()):
        latest = schedule.latest_slot(now) if schedule.enabled else None
        if latest is None:
            continue
        _note_death(connection, name, schedule.job)
        slot = iso(latest)
        token = f"{owner}{secrets.token_hex(8)}"
        lease_s = case(_QUEUED_S, value=_slots.sent, else_=_LONG_QUEUED_S)
        taken = connection.execute(
            update(schedule_slots)
            .where(_slots.schedule == name, _slots.finished_slot < slot, _slots.lease_until <= db_now())
            .values(lease_until=db_now() + lease_s, lease_token=token, sent=_slots.sent + 1, started=0)
        )
        if taken.rowcount:
            due.append(DueJob(name, schedule.job, slot, token))
    return due


def _note_death(connection: Connection, name: str, job: Job) -> None:
    """Note the failure of a job whose lease ended while it was done: its process could not note it."""
    died = connection.execute(
        update(schedule_slots)
        .where(_slots.schedule == name, _slots.started == 1, _slots.lease_until <= db_now())
        .values(started=0, lease_until=db_now() + _wait_of_death(), **_failed(DIED))
    )
    if died.rowcount:
        log.error("job died", schedule=name, job=job, what=DIED)
        record_job_result(connection, name, job, "JobDied", DIED)


def _wait_of_death() -> ColumnElement[float]:
    return case((_slots.failures < _DEATHS, 0.0), else_=_LATER_S)


def _failed(error: str) -> dict[str, object]:
    return {"failures": _slots.failures + 1, "last_error": error, "last_error_at": db_now()}


def future_slots(connection: Connection, bound: str) -> Sequence[str]:
    """The schedules whose last finished slot is after ``bound``: a clock was ahead."""
    names = select(_slots.schedule).where(_slots.finished_slot > bound).order_by(_slots.schedule)
    return connection.execute(names).scalars().all()


def reset_future_slots(connection: Connection, now: datetime) -> None:
    """Let schedules go on whose last slot or lease a clock that was ahead has set into the future."""
    bound, longest = iso(now + AHEAD), max(_LONG_QUEUED_S, *LONGEST_S.values()) + AHEAD.total_seconds()
    for name in future_slots(connection, bound):
        log.error("schedule reset", schedule=name, reason="its last slot was in the future of the database's clock")
    connection.execute(update(schedule_slots).where(_slots.finished_slot > bound).values(finished_slot=""))
    too_long = _slots.lease_until > now.timestamp() + longest
    connection.execute(update(schedule_slots).where(too_long).values(lease_until=0.0))


def start(connection: Connection, job: DueJob) -> bool:
    """Whether this process does the job: it still has the lease, now renewed, and nobody has finished the slot."""
    mine = (_slots.schedule == job.schedule, _slots.lease_token == job.token, _slots.finished_slot < job.slot)
    started = connection.execute(
        update(schedule_slots).where(*mine).values(started=1, sent=0, lease_until=db_now() + LEASE_S)
    )
    return started.rowcount > 0


def renew(connection: Connection, job: DueJob) -> bool:
    """Renew the lease of a started job; False when this process has it no more."""
    renewed = connection.execute(
        update(schedule_slots).where(*_leased(job), _slots.started == 1).values(lease_until=db_now() + LEASE_S)
    )
    return renewed.rowcount > 0


def _leased(job: DueJob) -> tuple[ColumnElement[bool], ...]:
    return _slots.schedule == job.schedule, _slots.lease_token == job.token


def finish(connection: Connection, job: DueJob, *, trouble: str = "") -> None:
    """Finish the slot of a job: it is not leased again, even if another worker has the lease now.

    ``trouble`` says what a person has to look at although the job has ended.
    """
    here = _slots.schedule == job.schedule
    connection.execute(
        update(schedule_slots).where(here, _slots.finished_slot < job.slot).values(finished_slot=job.slot)
    )
    ended = (
        {"last_error": trouble, "last_error_at": db_now()} if trouble else {"last_error": "", "last_good_at": db_now()}
    )
    connection.execute(update(schedule_slots).where(here, _slots.finished_slot == job.slot).values(failures=0, **ended))
    connection.execute(
        update(schedule_slots).where(*_leased(job)).values(lease_until=0.0, lease_token="", sent=0, started=0)
    )


def fail(connection: Connection, job: DueJob, error: str, *, lost_database: bool = False) -> None:
    """Record that the job failed: its slot is due again later, and ``error`` stays in the row until then.

    It is due again at once when it ``lost_database``, as when its process had died.
    """
    failures = connection.execute(select(_slots.failures).where(*_leased(job))).scalar()
    if failures is None:
        return  # another worker has leased the job meanwhile and reports for it
    wait_s = _wait_of_death() if lost_database else min(_FIRST_WAIT_S * 2**failures, LONGEST_S[job.job])
    connection.execute(
        update(schedule_slots)
        .where(*_leased(job))
        .values(started=0, sent=0, lease_until=db_now() + wait_s, **_failed(error))
    )


def release_slot(connection: Connection, job: DueJob) -> None:
    """End the lease of a job that was not done: its slot is due again at once."""
    connection.execute(update(schedule_slots).where(*_leased(job)).values(started=0, sent=0, lease_until=0.0))


def put_off(connection: Connection, job: DueJob, after_s: float) -> None:
    """Make the slot of a job due again in ``after_s`` seconds, unless a copy of the message has started it."""
    connection.execute(
        update(schedule_slots).where(*_leased(job), _slots.started == 0).values(sent=0, lease_until=db_now() + after_s)
    )


def reclaim_slots(connection: Connection, owner: str) -> int:
    """End all leases of a dead owner; returns how many. Only for an owner that runs in one process at a time."""
    freed = connection.execute(
        update(schedule_slots)
        .where(_slots.lease_token.startswith(owner, autoescape=True), _slots.lease_until > db_now())
        .values(lease_until=0.0)
    )
    return int(freed.rowcount)


def next_due(connection: Connection, schedules: Mapping[str, Schedule], now: datetime) -> dict[str, datetime]:
    """When each enabled schedule is due next, in UTC: a slot that waits to be done again, else the next slot."""
    rows = {row.schedule: row for row in connection.execute(select(schedule_slots))}
    return {
        name: _waits_until(rows.get(name), schedule.latest_slot(now), now) or schedule.next_slot(now)
        for name, schedule in schedules.items()
        if schedule.enabled
    }


def _waits_until(row: Row[tuple[object, ...]] | None, latest: datetime | None, now: datetime) -> datetime | None:
    """When the latest slot is due; None when it is finished, under way or never was."""
    if latest is None or (row is not None and row.finished_slot >= iso(latest)):
        return None
    if row is None or row.lease_until <= now.timestamp():
        return now
    under_way = row.started or row.sent
    return None if under_way else datetime.fromtimestamp(row.lease_until, UTC) + timedelta(seconds=1)
