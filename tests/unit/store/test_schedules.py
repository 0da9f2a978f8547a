"""Whichever worker ticks, and however often: a slot is one job, missed slots are one, a dead worker's job is redone."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from worker.settings.schedule import Schedule
from worker.store.engine import database_time
from worker.store.schedules import (
    DIED,
    DueJob,
    fail,
    finish,
    next_due,
    put_off,
    release_slot,
    renew,
    reset_future_slots,
    start,
    take_due,
)
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
    assert not begin(store, late), "a message that comes after the lease has ended starts nothing"
    end(store, late)
    assert not begin(store, again), "whoever has the job now need not do it a second time"
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


def begin(engine: Engine, job: DueJob) -> bool:
    with engine.begin() as connection:
        return start(connection, job)


def hand_back(engine: Engine, job: DueJob, after_s: float = 0.0) -> None:
    with engine.begin() as connection:
        put_off(connection, job, after_s) if after_s else release_slot(connection, job)


def test_a_scheduler_whose_clock_is_behind_does_not_repeat_a_slot(store: Engine) -> None:
    end(store, take(store)[0])
    assert take(store, NOON - timedelta(hours=9)) == []
    assert take(store, NOON - timedelta(days=3)) == []


@pytest.mark.parametrize("enabled", [True, False])
def test_a_schedule_that_is_off_is_never_due(store: Engine, enabled: bool) -> None:
    schedules = {"daily": Schedule.model_validate({"job": "run", "cron": "0 5 * * *", "enabled": enabled})}
    assert len(take(store, schedules=schedules)) == int(enabled)


def clock(engine: Engine) -> float:
    with engine.begin() as connection:
        return database_time(connection)


def row(engine: Engine) -> Any:
    with engine.begin() as connection:
        return connection.execute(select(schedule_slots)).one()


def test_a_lease_lasts_thirty_seconds_and_a_message_that_waits_is_sent_again_ever_more_seldom(store: Engine) -> None:
    for wait_s in (30, 60, 120, 240, 300, 300):
        before = clock(store)
        (job,) = take(store)
        assert before + wait_s <= row(store).lease_until <= clock(store) + wait_s
        end_leases(store)
    assert (row(store).failures, row(store).last_error) == (0, ""), "no process has died"
    (job,) = take(store)
    for renewed in (start, renew):
        before = clock(store)
        with store.begin() as connection:
            assert renewed(connection, job)
        assert before + 30 <= row(store).lease_until <= clock(store) + 30
    end_leases(store)
    (again,) = take(store)
    with store.begin() as connection:
        assert not renew(connection, job), "the lease is another's"
        fail(connection, job, "too late")
        release_slot(connection, job)
    assert row(store).lease_until > clock(store), "the next message is on its way"
    assert row(store).last_error == DIED
    assert begin(store, again)


def test_a_job_whose_process_died_is_taken_over_by_the_next_tick_but_not_for_ever_at_once(store: Engine) -> None:
    for failures in (1, 2, 3):
        (job,) = take(store)
        assert begin(store, job)
        assert take(store) == [], "it is at work"
        end_leases(store)
        (job,) = take(store)
        assert (row(store).failures, row(store).last_error) == (failures, DIED)
        end_leases(store)
    (job,) = take(store)
    assert begin(store, job)
    end_leases(store)
    assert take(store) == [], "it kills whoever does it"
    assert row(store).lease_until > clock(store) + 60
    end_leases(store)
    (job,) = take(store)
    assert begin(store, job)
    end(store, job)
    assert (row(store).failures, row(store).last_error) == (0, "")


def test_a_copy_of_a_message_puts_off_nothing_that_is_under_way(store: Engine) -> None:
    (job,) = take(store)
    assert begin(store, job)
    before = row(store)
    hand_back(store, job, after_s=600)
    assert row(store) == before


def test_a_slot_or_lease_that_a_clock_which_was_ahead_has_set_is_reset(store: Engine) -> None:
    def reset(now: datetime) -> tuple[str, bool]:
        with store.begin() as connection:
            reset_future_slots(connection, now)
        return row(store).finished_slot, row(store).lease_until > 0

    (job,) = take(store, NOON + timedelta(days=40))
    end(store, job)
    with store.begin() as connection:
        connection.execute(update(schedule_slots).values(lease_until=(NOON + timedelta(days=40)).timestamp()))
    early = datetime.fromisoformat(job.slot) - timedelta(minutes=4)
    assert reset(early)[0] == job.slot, "clocks may differ by some minutes"
    assert reset(NOON) == ("", False)
    assert [job.slot for job in take(store)] == ["2026-07-01T05:00:00Z"]


def test_what_is_next_is_what_can_happen(store: Engine) -> None:
    def following() -> datetime:
        with store.begin() as connection:
            return next_due(connection, DAILY, NOON)["daily"]

    tomorrow = datetime(2026, 7, 2, 5, tzinfo=UTC)
    assert following() == NOON, "it is due now"
    (job,) = take(store)
    with store.begin() as connection:
        connection.execute(update(schedule_slots).values(lease_until=NOON.timestamp() + 20))
    assert following() == tomorrow, "it is under way"
    hand_back(store, job)
    with store.begin() as connection:
        connection.execute(update(schedule_slots).values(lease_until=NOON.timestamp() + 20))
    assert following() == NOON + timedelta(seconds=21), "it failed and is done again after a while"
    end(store, job)
    assert following() == tomorrow
