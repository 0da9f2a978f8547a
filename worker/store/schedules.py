"""Which scheduled jobs are due: one row per schedule, leased while its job runs.

However many schedulers tick, and however late, a slot is handed out once at a time; slots that were
missed become one catch-up; a job whose worker died is handed out again when its lease ends.
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

LEASE_S: Mapping[Job, float] = {"run": 1860.0, "deliver": 180.0, "read_back": 180.0}
"""Longer than the job can take (the time limits of `worker.tasks`)."""


@dataclass(frozen=True, slots=True)
class DueJob:
    """A job handed to us. ``slot`` is the moment it was due, ISO text in UTC."""

    schedule: str
    job: Job
    slot: str
    token: str


def take_due(connection: Connection, schedules: Mapping[str, Schedule], now: datetime) -> list[DueJob]:
    """Lease every schedule that is due at ``now`` and that nobody else is working on."""
    insert_missing(connection, schedule_slots, [{"schedule": name} for name in schedules], unique="schedule")
    due = []
    for name, schedule in sorted(schedules.items()):
        latest = schedule.latest_slot(now) if schedule.enabled else None
        if latest is None:
            continue
        slot = latest.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        token = secrets.token_hex(8)
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


def finish(connection: Connection, job: DueJob) -> None:
    """The job is over, well or badly; its slot is not handed out again, whoever holds the lease by now."""
    here = schedule_slots.c.schedule == job.schedule
    connection.execute(
        update(schedule_slots).where(here, schedule_slots.c.finished_slot < job.slot).values(finished_slot=job.slot)
    )
    connection.execute(
        update(schedule_slots)
        .where(here, schedule_slots.c.lease_token == job.token)
        .values(lease_until=0.0, lease_token="")
    )


def give_back(connection: Connection, job: DueJob, *, after_s: float = 0.0) -> None:
    """The job was not done: its slot is handed out again, ``after_s`` seconds from now at the earliest."""
    connection.execute(
        update(schedule_slots)
        .where(schedule_slots.c.schedule == job.schedule, schedule_slots.c.lease_token == job.token)
        .values(lease_until=db_now() + after_s)
    )
