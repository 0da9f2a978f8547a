"""Which scheduled jobs are due: one row per schedule, leased while its job runs.

However many schedulers tick, and however late, a slot is handed out once at a time; slots that were
missed become one catch-up; a job whose worker died is handed out again when its lease ends.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, update

from worker.settings.schedule import Job, Schedule
from worker.store.engine import db_now
from worker.store.tables import schedule_slots
from worker.store.upsert import insert_missing

LEASE_S = 1800.0


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
            .values(lease_until=db_now() + LEASE_S, lease_token=token)
        )
        if taken.rowcount:
            due.append(DueJob(name, schedule.job, slot, token))
    return due


def finish(connection: Connection, job: DueJob) -> None:
    """The job is over, well or badly; its slot is not handed out again. A lost lease changes nothing."""
    connection.execute(
        update(schedule_slots)
        .where(schedule_slots.c.schedule == job.schedule, schedule_slots.c.lease_token == job.token)
        .values(finished_slot=job.slot, lease_until=0.0, lease_token="")
    )
