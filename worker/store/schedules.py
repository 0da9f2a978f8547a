"""Which scheduled jobs are due: one row per schedule, leased while its job runs.

Any number of schedulers may tick, at any time: a slot is leased by one of them at a time. Slots that were missed become
one catch-up. A job whose worker died is due again when its lease ends, and a job that failed after a wait that grows
with each failure. The last error stays in the row until the job succeeds.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from worker.settings.schedule import Job, Schedule
from worker.store.engine import db_now
from worker.store.moments import iso
from worker.store.tables import schedule_slots
from worker.store.upsert import insert_missing

LEASE_S: Mapping[Job, float] = {"run": 1860.0, "deliver": 180.0, "read_back": 180.0, "prune": 180.0}
"""Longer than the job can take (the time limits: of a run in `worker.tasks`, of the others in `worker.app`)."""
_FIRST_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class DueJob:
    """A job that this process has leased. ``slot`` is the moment it was due, ISO text in UTC."""

    schedule: str
    job: Job
    slot: str
    token: str


def take_due(
    connection: Connection, schedules: Mapping[str, Schedule], now: datetime, *, owner: str = ""
) -> list[DueJob]:
    """Lease every schedule that is due at ``now`` and has no lease; the tokens start with ``owner``."""
    insert_missing(connection, schedule_slots, [{"schedule": name} for name in schedules], unique="schedule")
    due = []
    for name, schedule in sorted(schedules.items()):
        latest = schedule.latest_slot(now) if schedule.enabled else None
        if latest is None:
            continue
        slot = iso(latest)
        token = f"{owner}{secrets.token_hex(8)}"
        taken = connection.execute(
            update(schedule_slots)
            .where(
                schedule_slots.c.schedule == name,
                schedule_slots.c.finished_slot < slot,
                schedule_slots.c.lease_until <= db_now(),
            )
            .values(lease_until=db_now() + LEASE_S[schedule.job], lease_token=token)
        )
        if taken.rowcount:
            due.append(DueJob(name, schedule.job, slot, token))
    return due


def is_over(connection: Connection, job: DueJob) -> bool:
    """Whether the slot of the job is finished, by any worker; a message may arrive late or twice."""
    finished = select(schedule_slots.c.finished_slot).where(schedule_slots.c.schedule == job.schedule)
    return (connection.execute(finished).scalar() or "") >= job.slot


def finish(connection: Connection, job: DueJob, *, trouble: str = "") -> None:
    """Finish the slot of a job: it is not leased again, even if another worker has the lease now.

    ``trouble`` says what a person has to look at although the job has ended.
    """
    here = schedule_slots.c.schedule == job.schedule
    connection.execute(
        update(schedule_slots).where(here, schedule_slots.c.finished_slot < job.slot).values(finished_slot=job.slot)
    )
    ended = (
        {"last_error": trouble, "last_error_at": db_now()} if trouble else {"last_error": "", "last_good_at": db_now()}
    )
    connection.execute(
        update(schedule_slots).where(here, schedule_slots.c.finished_slot == job.slot).values(failures=0, **ended)
    )
    connection.execute(
        update(schedule_slots)
        .where(here, schedule_slots.c.lease_token == job.token)
        .values(lease_until=0.0, lease_token="")
    )


def fail(connection: Connection, job: DueJob, error: str) -> None:
    """Record that the job failed: its slot is due again later, and ``error`` stays in the row until then."""
    here = (schedule_slots.c.schedule == job.schedule, schedule_slots.c.lease_token == job.token)
    failures = connection.execute(select(schedule_slots.c.failures).where(*here)).scalar()
    if failures is None:
        return  # another worker has leased the job meanwhile and reports for it
    wait_s = min(_FIRST_WAIT_S * 2**failures, LEASE_S[job.job])
    connection.execute(
        update(schedule_slots)
        .where(*here)
        .values(lease_until=db_now() + wait_s, failures=failures + 1, last_error=error, last_error_at=db_now())
    )


def release_slot(connection: Connection, job: DueJob, *, after_s: float = 0.0) -> None:
    """End the lease of a job that was not done: its slot is due again in ``after_s`` seconds."""
    connection.execute(
        update(schedule_slots)
        .where(schedule_slots.c.schedule == job.schedule, schedule_slots.c.lease_token == job.token)
        .values(lease_until=db_now() + after_s)
    )


def reclaim_slots(connection: Connection, owner: str) -> int:
    """End all leases of a dead owner; returns how many. Only for an owner that runs in one process at a time."""
    freed = connection.execute(
        update(schedule_slots)
        .where(schedule_slots.c.lease_token.startswith(owner, autoescape=True), schedule_slots.c.lease_until > db_now())
        .values(lease_until=0.0)
    )
    return int(freed.rowcount)
