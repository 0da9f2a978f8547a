"""Several real processes on one state database: schedulers, writers, and an upgrade in the middle."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, Table, func, insert, select, update

from tests import forked
from tests.unit.store.test_upgrades import revisions
from worker.settings.schedule import Schedule
from worker.store.engine import StoreError, connect_store, database_time, open_store, transact, upgrade
from worker.store.schedules import finish, release_slot, take_due
from worker.store.tables import connector_journal, runs, schedule_slots
from worker.store.upsert import upsert

pytestmark = pytest.mark.timeout(300)

DAY = datetime.fromisoformat("2026-10-25T00:00Z")  # Berlin has 2:00 to 3:00 twice
SCHEDULES = {
    "quarterly": Schedule.model_validate({"job": "deliver", "cron": "*/15 * * * *"}),
    "nightly": Schedule.model_validate({"job": "run", "cron": "30 2 * * *", "zone": "Europe/Berlin"}),
}
TICKS = 60
_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["alembic.command", "sqlalchemy.dialects.postgresql.psycopg", "tests.integration.store.test_processes"]
)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    here = f"sqlite:///{tmp_path / 'state.db'}"
    return here if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


def together(work: Callable[..., None], *arguments: tuple[Any, ...]) -> None:
    """Do the work in processes of their own, all at once; every one must come to its end."""
    processes = [_FORKS.Process(target=work, args=one) for one in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(200)
    assert [process.exitcode for process in processes] == [0] * len(processes)


def schedule(url: str, name: str, skew_s: int) -> None:
    """A scheduler whose clock is off, ticks twice each time, misses some ticks, and now and then gives a job back."""
    engine = connect_store(url)
    for tick in range(TICKS):
        if (tick + len(name)) % 7 == 0:
            continue  # missed
        moment = DAY + timedelta(minutes=5 * tick, seconds=skew_s)
        for _ in range(2):
            jobs = transact(engine, lambda connection, at=moment: take_due(connection, SCHEDULES, at))  # type: ignore[misc]
            for job in jobs:
                with engine.begin() as connection:
                    begun = {"id": f"{job.token} begins", "as_of": job.slot, "config_version": job.schedule}
                    connection.execute(insert(runs).values(**begun, committed_at=database_time(connection)))
                time.sleep(0.002)
                with engine.begin() as connection:
                    if tick % 11 == 0:
                        connection.execute(
                            update(runs).where(runs.c.id == begun["id"]).values(id=f"{job.token} undone")
                        )
                        release_slot(connection, job)
                        continue
                    ended = {"id": f"{job.token} ends", "as_of": job.slot, "config_version": job.schedule}
                    connection.execute(insert(runs).values(**ended, committed_at=database_time(connection)))
                    finish(connection, job)
    engine.dispose()


def test_three_schedulers_with_wrong_clocks_do_every_slot_once_and_never_two_at_a_time(url: str) -> None:
    engine = open_store(url)
    together(schedule, (url, "a", 0), (url, "bb", 3 * 3600), (url, "ccc", -3 * 3600))
    with engine.begin() as connection:
        told = connection.execute(select(runs).order_by(runs.c.committed_at)).all()
    done = Counter((row.config_version, row.as_of) for row in told if row.id.endswith(" ends"))
    assert set(done.values()) == {1}, "a slot was done twice"
    for name in SCHEDULES:
        mine = [(row.id.split()[0], row.as_of) for row in told if row.config_version == name and "undone" not in row.id]
        assert mine[::2] == mine[1::2], "a job began before the one before it had ended"
        assert [slot for _, slot in mine] == sorted(slot for _, slot in mine), "a schedule went back in time"
    with engine.begin() as connection:
        for job in take_due(connection, SCHEDULES, DAY + timedelta(hours=8)):
            assert done[(job.schedule, job.slot)] == 0, "what is left is one catch-up"
            finish(connection, job)
        last = dict(connection.execute(select(schedule_slots.c.schedule, schedule_slots.c.finished_slot)).all())
    engine.dispose()
    assert last == {"quarterly": "2026-10-25T08:00:00Z", "nightly": "2026-10-25T00:30:00Z"}


def write_hard(url: str, name: str, times: int) -> None:
    engine = open_store(url)
    for number in range(times):
        row = {"destination": name, "name": str(number % 5), "text": "x" * 500}
        transact(engine, lambda connection, row=row: upsert(connection, connector_journal, [row]))  # type: ignore[misc]
        with engine.begin() as connection:
            made = {"id": f"{name}-{number}", "as_of": "", "config_version": ""}
            connection.execute(insert(runs).values(**made, committed_at=0.0))
    engine.dispose()


def test_many_processes_that_write_hard_all_finish(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    together(write_hard, *((url, f"w{n}", 120) for n in range(6)))
    engine = connect_store(url)
    with engine.begin() as connection:
        assert connection.execute(select(func.count()).select_from(runs)).scalar_one() == 6 * 120
    engine.dispose()


def deliver_as_before(url: str, stop: str) -> None:
    """A worker of the previous version: it knows the tables as they were when it started, and holds transactions."""
    engine = connect_store(url)
    tables = MetaData()
    tables.reflect(engine)
    outbox, ledger, slots = (tables.tables[name] for name in ("outbox", "ledger", "schedule_slots"))
    done = 0
    while not (Path(stop).exists() and done > 20):
        transact(engine, lambda connection, n=done: _deliver_one(connection, outbox, ledger, slots, n))  # type: ignore[misc]
        done += 1
    engine.dispose()


def _deliver_one(connection: Any, outbox: Table, ledger: Table, slots: Table, number: int) -> None:
    row = connection.execute(
        select(outbox)
        .where(outbox.c.state == "pending")
        .order_by(outbox.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    time.sleep(0.01)
    if row is None:
        return
    effect = {name: getattr(row, name) for name in ("run_id", "destination", "kind", "idem_key", "account_id")}
    connection.execute(insert(ledger).values(**effect, at=1.0, operation=row.payload, status="applied"))
    connection.execute(update(outbox).where(outbox.c.id == row.id).values(state="done"))
    connection.execute(update(slots).where(slots.c.schedule == "daily").values(lease_until=float(number)))


def migrate(url: str, stop: str) -> None:
    time.sleep(0.3)
    open_store(url).dispose()
    Path(stop).touch()


def test_workers_of_the_version_before_go_on_while_the_schema_is_upgraded(url: str, tmp_path: Path) -> None:
    rows, stop = 400, str(tmp_path / "upgraded")
    engine = connect_store(url)
    upgrade(engine, revisions()[-2])
    tables = MetaData()
    tables.reflect(engine)
    with engine.begin() as connection:
        connection.execute(insert(tables.tables["schedule_slots"]).values(schedule="daily"))
        for number in range(rows):
            row = dict.fromkeys(("destination", "kind", "account_id", "payload_hash", "run_id"), "x")
            row |= {"idem_key": f"k{number}", "state": "pending"}
            connection.execute(
                insert(tables.tables["outbox"]).values(**row, payload={}, context={}, due_at=0.0, created_at=0.0)
            )
    processes = [_FORKS.Process(target=deliver_as_before, args=(url, stop)) for _ in range(2)]
    for process in processes:
        process.start()
    together(migrate, (url, stop))
    for process in processes:
        process.join(100)
    assert [process.exitcode for process in processes] == [0, 0]
    with engine.begin() as connection:
        effects = connection.execute(select(tables.tables["ledger"].c.idem_key)).scalars().all()
        done = connection.execute(
            select(func.count()).select_from(tables.tables["outbox"]).where(tables.tables["outbox"].c.state == "done")
        ).scalar_one()
    engine.dispose()
    assert len(effects) == len(set(effects)) == done > 20


def hold_the_upgrade(url: str, held: str, end: str) -> None:
    """A process that upgrades a new database, and does not commit before it may."""
    from alembic import command
    from alembic.config import Config

    upgrade_schema = command.upgrade

    def slowly(config: Config, revision: str, sql: bool = False, tag: str | None = None) -> None:
        upgrade_schema(config, revision, sql, tag)
        Path(held).touch()
        while not Path(end).exists():
            time.sleep(0.05)

    command.upgrade = slowly
    open_store(url).dispose()


@pytest.fixture
def holder(url: str, tmp_path: Path) -> Iterator[Path]:
    """A database that a process is upgrading; it ends when the file is made whose path this is."""
    held, end = tmp_path / "held", tmp_path / "end"
    process = _FORKS.Process(target=hold_the_upgrade, args=(url, str(held), str(end)))
    process.start()
    while not held.exists():
        assert process.is_alive()
        time.sleep(0.05)
    yield end
    end.touch()
    process.join(60)
    assert process.exitcode == 0


OPEN = """
import sys
from worker.telemetry.logs import {log} as set_up
set_up()
from worker.store.engine import open_store
open_store(sys.argv[1]).dispose()
"""


@pytest.mark.parametrize("log", ["log_for_people", "log_for_machines"])
def test_a_second_process_waits_for_an_upgrade_and_says_so(url: str, holder: Path, log: str) -> None:
    command = [sys.executable, "-c", OPEN.format(log=log), url]
    with forked.Popen(command, stderr=subprocess.PIPE, text=True) as second:
        assert second.stderr is not None
        said = second.stderr.readline()
        assert second.poll() is None, "it goes on waiting"
        holder.touch()
        assert second.wait(100) == 0, second.stderr.read()
    assert "another process upgrades the state database or writes to it" in said


def test_the_wait_for_an_upgrade_has_an_end(url: str, holder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.store.engine._UPGRADE_S", 1)
    with pytest.raises(StoreError, match="another process upgrades the state database"):
        open_store(url)
