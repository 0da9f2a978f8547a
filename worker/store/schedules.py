"""Which scheduled jobs are due: one row per schedule, leased while its job runs.

However many schedulers tick, and however late, a slot is handed out once at a time; slots that were
missed become one catch-up; a job whose worker died is handed out again when its lease ends, one that
failed after a wait that grows with each failure. What failed stands in the row until it goes well.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, select, update

from worker.settings.schedule import Job, Schedule
from worker.store.engine import db_now
from worker.store.tables import schedule_slots
from worker.store.upsert import insert_missing

LEASE_S: Mapping[Job, float] = {"run": 1860.0, "deliver": 180.0, "read_back": 180.0, "prune": 180.0}
"""Longer than the job can take (the time limits: of a run in `worker.tasks`, of the others in `worker.app`)."""
_FIRST_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class DueJob:
    """A job handed to us. ``slot`` is the moment it was due, ISO text in UTC."""

    schedule: str
    job: Job
    slot: str
    token: str


def take_due(
    connection: Connection, schedules: Mapping[str, Schedule], now: datetime, *, owner: str = ""
) -> list[DueJob]:
    """Lease every schedule that is due at ``now`` and that nobody else is working on; tokens begin with ``owner``."""
    insert_missing(connection, schedule_slots, [{"schedule": name} for name in schedules], unique="schedule")
    due = []
    for name, schedule in sorted(schedules.items()):
        latest = schedule.latest_slot(now) if schedule.enabled else None
        if latest is None:
            continue
        slot = latest.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
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
    """Whether the job's slot has been done meanwhile, by whomever; a message may arrive late or twice."""
    finished = select(schedule_slots.c.finished_slot).where(schedule_slots.c.schedule == job.schedule)
    return (connection.execute(finished).scalar() or "") >= job.slot


def finish(connection: Connection, job: DueJob, *, trouble: str = "") -> None:
    """The job is over; its slot is not handed out again, whoever holds the lease by now.

    ``trouble`` is what a person has to look at although the job came to its end.
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
    """The job broke: its slot is handed out again after a while, and ``error`` stands in the row until then."""
    here = (schedule_slots.c.schedule == job.schedule, schedule_slots.c.lease_token == job.token)
    failures = connection.execute(select(schedule_slots.c.failures).where(*here)).scalar()
    if failures is None:
        return  # somebody else has the job by now and reports for it
    wait_s = min(_FIRST_WAIT_S * 2**failures, LEASE_S[job.job])
    connection.execute(
        update(schedule_slots)
        .where(*here)
        .values(lease_until=db_now() + wait_s, failures=failures + 1, last_error=error, last_error_at=db_now())
    )


def release_slot(connection: Connection, job: DueJob, *, after_s: float = 0.0) -> None:
    """The job was not done: its slot is handed out again, ``after_s`` seconds from now at the earliest."""
    connection.execute(
        update(schedule_slots)
        .where(schedule_slots.c.schedule == job.schedule, schedule_slots.c.lease_token == job.token)
        .values(lease_until=db_now() + after_s)
    )


def reclaim_slots(connection: Connection, owner: str) -> int:
    """Let the jobs of a dead owner be due again at once; only for an owner that is known to be alone."""
    freed = connection.execute(
        update(schedule_slots)
        .where(schedule_slots.c.lease_token.startswith(owner, autoescape=True), schedule_slots.c.lease_until > db_now())
        .values(lease_until=0.0)
    )
    return int(freed.rowcount)
