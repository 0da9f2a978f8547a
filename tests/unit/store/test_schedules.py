"""Whichever worker ticks, and however often: a slot is one job, missed slots are one, a dead worker's job is redone."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, update

from worker.settings.schedule import Schedule
from worker.store.schedules import DueJob, finish, is_over, release_slot, take_due
from worker.store.tables import schedule_slots

DAILY = {"daily": Schedule.model_validate({"job": "run", "cron": "0 5 * * *"})}
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def take(engine: Engine, now: datetime = NOON, schedules: dict[str, Schedule] = DAILY) -> list[DueJob]:
    with engine.begin() as connection:
        return take_due(connection, schedules, now)


def end(engine: Engine, job: DueJob) -> None:
    with engine.begin() as connection:
        finish(connection, job)


def end_leases(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(update(schedule_slots).values(lease_until=0.0))


def test_a_slot_is_handed_out_once_and_not_again_when_it_is_done(store: Engine) -> None:
    (job,) = take(store)
    assert (job.schedule, job.job, job.slot) == ("daily", "run", "2026-07-01T05:00:00Z")
    assert take(store) == []
    end(store, job)
    assert take(store) == []
    assert [job.slot for job in take(store, NOON + timedelta(days=1))] == ["2026-07-02T05:00:00Z"]


def test_three_schedulers_at_once_start_one_job(store: Engine) -> None:
    taken: list[DueJob] = []
    schedulers = [threading.Thread(target=lambda: taken.extend(take(store))) for _ in range(3)]
    for scheduler in schedulers:
        scheduler.start()
    for scheduler in schedulers:
        scheduler.join()
    assert len(taken) == 1


def test_missed_slots_become_one_catch_up(store: Engine) -> None:
    end(store, take(store)[0])
    (job,) = take(store, NOON + timedelta(days=10))
    assert job.slot == "2026-07-11T05:00:00Z"
    end(store, job)
    assert take(store, NOON + timedelta(days=10)) == []


def test_the_job_of_a_dead_worker_is_handed_out_again(store: Engine) -> None:
    (dead,) = take(store)
    assert take(store) == []
    end_leases(store)
    (again,) = take(store)
    assert (again.slot, again.token == dead.token) == (dead.slot, False)


def test_what_a_worker_did_is_done_even_if_it_was_taken_for_dead(store: Engine) -> None:
    (late,) = take(store)
    end_leases(store)
    (again,) = take(store)
    assert not over(store, again)
    end(store, late)
    assert over(store, again), "whoever has the job now need not do it a second time"
    end(store, again)
    assert take(store) == []
    end(store, late)
    assert [job.slot for job in take(store, NOON + timedelta(days=1))] == ["2026-07-02T05:00:00Z"]


def test_an_older_slot_never_reopens_a_newer_one(store: Engine) -> None:
    (old,) = take(store)
    end_leases(store)
    (new,) = take(store, NOON + timedelta(days=1))
    end(store, new)
    end(store, old)
    assert take(store, NOON + timedelta(days=1)) == []


def test_a_job_given_back_is_due_again_at_once_or_later(store: Engine) -> None:
    (job,) = take(store)
    hand_back(store, job)
    (job,) = take(store)
    hand_back(store, job, after_s=30)
    assert take(store) == []
    end_leases(store)
    assert len(take(store)) == 1


def test_only_the_holder_gives_a_job_back(store: Engine) -> None:
    (dead,) = take(store)
    end_leases(store)
    take(store)
    hand_back(store, dead)
    assert take(store) == []


def over(engine: Engine, job: DueJob) -> bool:
    with engine.begin() as connection:
        return is_over(connection, job)


def hand_back(engine: Engine, job: DueJob, after_s: float = 0.0) -> None:
    with engine.begin() as connection:
        release_slot(connection, job, after_s=after_s)


def test_a_scheduler_whose_clock_is_behind_does_not_repeat_a_slot(store: Engine) -> None:
    end(store, take(store)[0])
    assert take(store, NOON - timedelta(hours=9)) == []
    assert take(store, NOON - timedelta(days=3)) == []


@pytest.mark.parametrize("enabled", [True, False])
def test_a_schedule_that_is_off_is_never_due(store: Engine, enabled: bool) -> None:
    schedules = {"daily": Schedule.model_validate({"job": "run", "cron": "0 5 * * *", "enabled": enabled})}
    assert len(take(store, schedules=schedules)) == int(enabled)
