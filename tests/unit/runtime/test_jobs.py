"""Scheduled jobs: one run at a time, a slot once, and nothing a scheduler could not hand over is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import structlog
from sqlalchemy import Engine, delete, insert, select, text, update
from sqlalchemy.exc import OperationalError

from connectors.clock import now
from tests import in_process
from worker.alerts.alert_store import open_alerts
from worker.alerts.conditions import find_conditions
from worker.alerts.facts import load_facts
from worker.delivery.stop import CancelToken
from worker.reports.check import check_project
from worker.reports.needs_person import needs_person
from worker.reports.reader import Reader
from worker.runtime.job_result import finishing
from worker.runtime.jobs import Jobs
from worker.runtime.open_jobs import open_jobs
from worker.settings.alerts import Thresholds
from worker.settings.environment import database_url
from worker.settings.problems import ConfigError
from worker.settings.project import Project, load_project
from worker.settings.shipped import write_project
from worker.store.engine import database_moment, database_time, open_store
from worker.store.job_results import record_job_result
from worker.store.lock import Busy, exclusive_run
from worker.store.marks import UNADOPTED, note_project, require_adoption
from worker.store.moments import InFuture
from worker.store.schedules import DIED, DueJob
from worker.store.state import start_run
from worker.store.tables import runs, schedule_slots

NO_CRMS = "version: 1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project as `plgsync init` writes it, without CRMs and without any product data."""
    write_project(tmp_path / "acme")
    (tmp_path / "acme" / "config" / "crm.yaml").write_text(NO_CRMS, encoding="utf-8")
    return tmp_path / "acme"


@pytest.fixture
def project(folder: Path) -> Project:
    return load_project(folder)


@pytest.fixture
def jobs(project: Project, store: Engine) -> Jobs:
    return Jobs(project, store, {})


def to_do(jobs: Jobs) -> list[str]:
    """What `plgsync status` says a person has to do."""
    with jobs.engine.begin() as connection:
        reader = Reader(root=jobs.project.root, engine=jobs.engine, project=jobs.project, alerts=jobs.project.alerts)
        return list(needs_person(connection, reader))


DAILY = DueJob("daily", "run", "", "")


def take(jobs: Jobs, job: str) -> DueJob:
    return next(due for due in jobs.take_due() if due.job == job)


@contextmanager
def logged() -> Iterator[list[str]]:
    with structlog.testing.capture_logs() as entries:
        said: list[str] = []
        yield said
        said += [entry["event"] for entry in entries]


def slot(engine: Engine, due: DueJob) -> str:
    with engine.begin() as connection:
        finished = select(schedule_slots.c.finished_slot).where(schedule_slots.c.schedule == due.schedule)
        return str(connection.execute(finished).scalar_one())


def lease(engine: Engine, due: DueJob) -> tuple[str, float, int]:
    """Token, end, and whether a process has started the job."""
    c = schedule_slots.c
    with engine.begin() as connection:
        row = connection.execute(
            select(c.lease_token, c.lease_until, c.started).where(c.schedule == due.schedule)
        ).one()
    return row.lease_token, row.lease_until, row.started


def kept(engine: Engine, due: DueJob) -> tuple[int, str, bool]:
    """Failures in a row, the last error, and whether it has ever gone well."""
    c = schedule_slots.c
    with engine.begin() as connection:
        row = connection.execute(
            select(c.failures, c.last_error, c.last_good_at).where(c.schedule == due.schedule)
        ).one()
    return row.failures, row.last_error, row.last_good_at is not None


def breaks(*_: object, **__: object) -> None:
    raise ZeroDivisionError("Acme Inc., mrr 12000")


def end_leases(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(update(schedule_slots).values(lease_until=0.0))


def test_a_run_that_an_operator_has_to_look_at_ends_its_slot_and_says_why(jobs: Jobs) -> None:
    due = take(jobs, "run")
    with logged() as said:
        jobs.compute(due)
    assert said == ["nothing queued"], "the project has no product data yet"
    assert slot(jobs.engine, due) == due.slot
    failures, error, good = kept(jobs.engine, due)
    assert (failures, error.split(":")[0], good) == (0, "SourceError", False)


def test_a_job_that_breaks_is_said_kept_and_done_again_later(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    due = take(jobs, "run")
    with monkeypatch.context() as broken, structlog.testing.capture_logs() as said:
        broken.setattr("worker.pipeline.run.compute_and_commit", breaks)
        with pytest.raises(ZeroDivisionError):
            jobs.start(due)
    (line,) = said
    assert (line["event"], line["schedule"], line["slot"], line["error"]) == (
        *("job failed", due.schedule, due.slot),
        "ZeroDivisionError",
    )
    assert "Acme" not in str(said), "what a bug says may hold values"
    assert slot(jobs.engine, due) == ""
    failures, error, good = kept(jobs.engine, due)
    assert (failures, good) == (1, False)
    assert error.startswith("ZeroDivisionError in test_jobs.py, line ")
    assert [job for job in jobs.take_due() if job.job == "run"] == [], "not at once"
    end_leases(jobs.engine)
    jobs.start(take(jobs, "run"))
    assert slot(jobs.engine, due) == due.slot
    assert kept(jobs.engine, due)[0] == 0


def test_a_job_that_goes_well_wipes_out_what_failed_before(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    due = take(jobs, "deliver")
    with monkeypatch.context() as broken:
        broken.setattr("worker.runtime.jobs.deliver_all", breaks)
        with pytest.raises(ZeroDivisionError):
            jobs.start(due)
    end_leases(jobs.engine)
    jobs.start(take(jobs, "deliver"))
    assert kept(jobs.engine, due) == (0, "", True)


def test_one_job_that_breaks_holds_up_none_of_the_others(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.pipeline.run.compute_and_commit", breaks)
    with pytest.raises(ZeroDivisionError):
        jobs.do_due()
    with jobs.engine.begin() as connection:
        done = connection.execute(select(schedule_slots.c.schedule).where(schedule_slots.c.finished_slot != ""))
        assert set(done.scalars()) == {"read-back", "send", "tidy"}


def test_a_job_told_to_end_is_due_again_at_once(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_told_to_end(*_: object, **__: object) -> None:
        raise SystemExit(0)

    monkeypatch.setattr("worker.pipeline.run.compute_and_commit", is_told_to_end)
    due = take(jobs, "run")
    with pytest.raises(SystemExit):
        jobs.start(due)
    assert take(jobs, "run").slot == due.slot


def test_a_worker_whose_clock_is_ahead_takes_no_slot_before_its_time(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = list[datetime]()
    monkeypatch.setattr("connectors.clock.now", lambda: now() + timedelta(days=40))
    monkeypatch.setattr("worker.pipeline.run.compute_and_commit", lambda *given, **_: computed.append(given[3]))
    due = take(jobs, "run")
    jobs.start(due)
    with jobs.engine.begin() as connection:
        present = database_moment(connection)
    assert max(computed[0], datetime.fromisoformat(due.slot)) <= present


def test_a_slot_in_the_future_is_refused_and_the_schedule_goes_on(jobs: Jobs) -> None:
    due = replace(take(jobs, "run"), slot="2096-02-29T05:00:00Z")
    with pytest.raises(InFuture, match=r"the slot 2096-02-29.*the clock of the state database.*plgsync state restore"):
        jobs.start(due)
    assert "2096" in kept(jobs.engine, due)[1]
    end_leases(jobs.engine)
    with jobs.engine.begin() as connection:
        connection.execute(update(schedule_slots).values(finished_slot="2096-02-29T05:00:00Z"))
    status = "\n".join(to_do(jobs))
    assert "daily was finished for a slot in the future" in status
    with logged() as said:
        again = take(jobs, "run")
    assert said == ["schedule reset"] * 4
    assert again.slot < "2096"


def test_a_run_that_lost_the_database_is_due_again_at_once(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def loses_it(*_: object, **__: object) -> None:
        raise OperationalError("", None, Exception("server closed the connection"), connection_invalidated=True)

    monkeypatch.setattr("worker.pipeline.run.compute_and_commit", loses_it)
    for failures in (1, 2, 3):
        with pytest.raises(OperationalError):
            jobs.start(take(jobs, "run"))
        assert kept(jobs.engine, DAILY)[0] == failures
    with pytest.raises(OperationalError):
        jobs.start(take(jobs, "run"))
    assert [job for job in jobs.take_due() if job.job == "run"] == [], "not at once when it is lost again and again"


def test_a_failure_that_the_database_could_not_take_is_noted_by_the_next_tick(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: object, **__: object) -> None:
        raise OperationalError("", None, Exception("away"), connection_invalidated=True)

    monkeypatch.setattr("worker.pipeline.run.compute_and_commit", breaks)
    with monkeypatch.context() as away:
        away.setattr("worker.runtime.job_result.fail", cannot)
        away.setattr("worker.runtime.job_result.record_job_result", cannot)
        with pytest.raises(ZeroDivisionError):
            jobs.start(take(jobs, "run"))
    assert kept(jobs.engine, DAILY)[:2] == (0, "")
    end_leases(jobs.engine)
    with logged() as said:
        due = take(jobs, "run")
    assert said == ["job died"]
    assert kept(jobs.engine, due) == (1, DIED, False)
    assert f"daily ended early: {DIED}" in to_do(jobs)


def test_a_job_renews_its_lease_while_it_works(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.runtime.job_result.RENEW_EVERY_S", 0.01)
    due = take(jobs, "prune")
    with finishing(jobs.engine, due, "prune"):
        first = lease(jobs.engine, due)[1]
        while lease(jobs.engine, due)[1] == first:
            pass  # until the test's own time limit
    assert slot(jobs.engine, due) == due.slot


def test_a_run_whose_lock_is_lost_commits_nothing(postgres_store: Engine, project: Project) -> None:
    jobs = Jobs(project, postgres_store, {})
    with postgres_store.connect() as admin, exclusive_run(jobs.engine) as still_locked:
        still_locked()
        locks = "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()"
        admin.execute(text(locks))
        with pytest.raises(OperationalError):
            still_locked()


def test_a_later_failure_is_not_recovered_by_a_run_with_a_later_date(store: Engine, project: Project) -> None:
    def problems() -> list[str]:
        with store.begin() as connection:
            return [one.text for one in find_conditions(load_facts(connection, project), Thresholds())]

    with store.begin() as connection:
        start_run(connection, "ahead", "2096-02-29T05:00:00Z", "")
        connection.execute(update(runs).values(committed_at=4e9))
        record_job_result(connection, "daily", "run", "StaleData", "too old")
    assert problems() == ["daily ended early: too old"]
    with store.begin() as connection:
        start_run(connection, "next", "2096-02-29T05:00:01Z", "")
    assert problems() == []


def test_what_comes_next_can_happen(jobs: Jobs) -> None:
    with jobs.engine.begin() as connection:
        begun = database_moment(connection)
    following = jobs.next_due()
    assert following
    assert following[1] >= begun, "every schedule is due now"
    jobs.take_due()
    following = jobs.next_due()
    assert following
    assert begun < following[1] <= jobs.schedules["send"].next_slot(now()), "send is due every five minutes"


def test_a_run_that_meets_another_does_nothing_and_its_slot_comes_again(jobs: Jobs) -> None:
    due = take(jobs, "run")
    with exclusive_run(jobs.engine), logged() as said:
        jobs.compute(due)
    assert said == ["not computed"]
    assert slot(jobs.engine, due) == ""
    assert [job for job in jobs.take_due() if job.job == "run"] == [], "not at once"
    end_leases(jobs.engine)
    assert take(jobs, "run").slot == due.slot


def test_a_message_that_comes_twice_does_not_end_or_repeat_the_run_under_way(jobs: Jobs) -> None:
    due = take(jobs, "run")
    with exclusive_run(jobs.engine), finishing(jobs.engine, due, "run"):
        token, until, started = lease(jobs.engine, due)
        jobs.compute(due)
        assert lease(jobs.engine, due) >= (token, until, started), "it is not put off"
        assert slot(jobs.engine, due) == ""
    assert slot(jobs.engine, due) == due.slot
    with logged() as said:
        jobs.compute(due)
    assert said == [], "the slot is done, so a third message does nothing"


def test_reading_back_leaves_a_run_under_way_alone(jobs: Jobs) -> None:
    due = take(jobs, "read_back")
    with exclusive_run(jobs.engine), logged() as said:
        jobs.read_back(due)
    assert said == ["not read back"]
    assert slot(jobs.engine, due) == due.slot


def test_pruning_removes_what_is_old_and_ends_its_slot(jobs: Jobs) -> None:
    with jobs.engine.begin() as connection:
        for run_id, committed_at in (("old", 1.0), ("new", database_time(connection))):
            row = {"id": run_id, "as_of": run_id[::-1], "config_version": "", "committed_at": committed_at}
            connection.execute(insert(runs).values(**row))
    due = take(jobs, "prune")
    jobs.start(due)
    with jobs.engine.begin() as connection:
        assert connection.execute(select(runs.c.id)).scalars().all() == ["new"]
    assert slot(jobs.engine, due) == due.slot


def test_the_run_lock_is_one_and_holds_no_transaction_open(store: Engine) -> None:
    with exclusive_run(store):
        with pytest.raises(Busy), exclusive_run(store):
            pass
        if store.dialect.name == "postgresql":
            with store.begin() as connection:
                idle = "select count(*) from pg_stat_activity where datname = current_database() and state like :s"
                assert connection.execute(text(idle), {"s": "idle in transaction%"}).scalar_one() == 0
    with exclusive_run(store):
        pass


def test_jobs_that_no_broker_took_are_due_again(folder: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PLGSYNC_")},
        "PLGSYNC_PROJECT": str(folder),
        "PLGSYNC_BROKER_URL": "redis://127.0.0.1:9/0",
    }
    done = subprocess.run(
        [sys.executable, "-c", "import worker.app; from worker.tasks import tick; tick()"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert "connecting to 127.0.0.1:9" in done.stderr
    with open_jobs(folder) as jobs:
        assert {due.job for due in jobs.take_due()} == {"run", "deliver", "read_back", "prune"}


@pytest.mark.parametrize("job", ["run", "deliver", "read_back", "prune"])
def test_what_prevents_a_job_from_being_opened_is_kept_with_its_slot(
    folder: Path, monkeypatch: pytest.MonkeyPatch, job: str
) -> None:
    from worker import tasks

    monkeypatch.setenv("PLGSYNC_PROJECT", str(folder))
    monkeypatch.delenv("PLGSYNC_DATABASE_URL", raising=False)
    with open_jobs(folder) as jobs:
        due = take(jobs, job)
    (folder / "config" / "crm.yaml").write_text("version: 2\n", encoding="utf-8")
    work = {"run": tasks.compute, "deliver": tasks.deliver, "read_back": tasks.read_back, "prune": tasks.prune}[job]
    with pytest.raises(ConfigError):
        work.run(due=asdict(due))
    engine = open_store(database_url(folder))
    with engine.begin() as connection:
        slot = connection.execute(select(schedule_slots).where(schedule_slots.c.schedule == due.schedule)).one()
        waits = slot.lease_until - database_time(connection)
    engine.dispose()
    assert (slot.failures, bool(slot.last_error)) == (1, True)
    assert waits < 300, "it comes again soon, not when the lease of a job that runs has ended"


def test_ticks_that_piled_up_are_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from worker import tasks

    moment, handed = 1000.0, list[str]()
    monkeypatch.setenv("PLGSYNC_PROJECT", str(folder))
    monkeypatch.setattr(tasks, "stopwatch", lambda: moment)
    monkeypatch.setattr(tasks.tick.app, "send_task", lambda name, **_: handed.append(name))

    def due_again() -> None:
        with open_jobs(folder) as jobs, jobs.engine.begin() as connection:
            connection.execute(delete(schedule_slots))

    tasks.tick()
    first = sorted(handed)
    assert first == ["plgsync.compute", "plgsync.deliver", "plgsync.prune", "plgsync.read_back"]
    due_again()
    for _ in range(1000):
        tasks.tick()
    assert sorted(handed) == first
    moment += 30.0
    tasks.tick()
    assert sorted(handed) == sorted(2 * first)


def told(folder: Path) -> list[tuple[str, str]]:
    engine = open_store(database_url(folder))
    with engine.begin() as connection:
        found = [(row["kind"], row["subject"]) for row in open_alerts(connection)]
    engine.dispose()
    return found


def test_settings_that_cannot_be_read_are_told_by_scheduled_jobs_until_they_are_mended(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PLGSYNC_DATABASE_URL", raising=False)
    crm = folder / "config" / "crm.yaml"
    crm.write_text("version: 2\n", encoding="utf-8")
    for tell, expected in ((False, []), (True, [("run_failed", "settings")])):
        with pytest.raises(ConfigError), open_jobs(folder, notify_admins=tell):
            pass
        assert told(folder) == expected
    crm.write_text(NO_CRMS, encoding="utf-8")
    with open_jobs(folder, notify_admins=True) as jobs:
        jobs.update_alerts()
    assert told(folder) == []


def test_no_job_starts_on_the_state_of_another_project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_jobs(folder) as jobs:
        due = take(jobs, "run")
        with jobs.engine.begin() as connection:
            note_project(connection, ["other"])
    with pytest.raises(ConfigError, match="of the project other"), open_jobs(folder, notify_admins=True, due=due):
        pass
    assert told(folder) == [("run_failed", "settings")]
    assert any("of the project other" in problem.message for problem in check_project(folder, offline=False).problems)
    assert not any("of the project" in problem.message for problem in check_project(folder, offline=True).problems)
    monkeypatch.setenv("PLGSYNC_PROJECT_ID", "other")
    with open_jobs(folder, notify_admins=True) as jobs:
        jobs.update_alerts()
        with jobs.engine.begin() as connection:
            slot = connection.execute(select(schedule_slots).where(schedule_slots.c.schedule == due.schedule)).one()
    assert (slot.failures, "of the project other" in slot.last_error) == (1, True)
    assert told(folder) == []


def test_a_tick_ends_with_1_and_says_which_jobs_were_refused(folder: Path) -> None:
    with open_jobs(folder) as jobs, jobs.engine.begin() as connection:
        require_adoption(connection)
    ended = in_process.plgsync("tick", "--project", str(folder))
    names = ("daily", "send", "read-back")
    assert ended.returncode == 1
    assert all(name in ended.stdout for name in names)
    for name in names:
        assert f"{name}: {UNADOPTED}" in ended.stderr
    again = in_process.plgsync("tick", "--project", str(folder))
    assert (again.returncode, again.stdout.partition("\n")[0]) == (0, "0 jobs done: nothing was due")


def test_a_run_that_a_person_typed_and_that_was_refused_alerts_nobody(folder: Path) -> None:
    with open_jobs(folder) as jobs, jobs.engine.begin() as connection:
        require_adoption(connection)
    ended = in_process.plgsync("run", "--project", str(folder))
    assert (ended.returncode, UNADOPTED in ended.stderr) == (1, True)
    in_process.plgsync("tick", "--project", str(folder))
    assert ("run_failed", "daily") in told(folder)
    assert ("run_failed", "plgsync run") not in told(folder)


def test_a_worker_that_is_told_to_end_leaves_what_is_to_tell_to_the_next(jobs: Jobs, project: Project) -> None:
    with jobs.engine.begin() as connection:
        record_job_result(connection, "daily", "run", "StaleData", "the source is empty")
    told_to_end = Jobs(project, jobs.engine, {}, stop=CancelToken())
    told_to_end.stop.cancel()
    for one, expected in ((told_to_end, []), (jobs, ["daily"])):
        one.update_alerts()
        with jobs.engine.begin() as connection:
            assert [row["subject"] for row in open_alerts(connection)] == expected
