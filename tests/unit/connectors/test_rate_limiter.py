"""The rate limiter never starts more calls in a window than the CRM allows, whatever other apps use."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Bucket, Permit, RateLimitStatus
from connectors.rate_limiter import MARGIN_S, InProcess, RateLimiter, SlidingWindowLog

WINDOW_S = 10.0


@dataclass
class Clock:
    """Seconds that pass only in `sleep`."""

    now: float = 1_000.0
    slept: float = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.now += seconds


def burst(limit: int) -> Bucket:
    return Bucket("burst", limit, WINDOW_S)


def most_in_a_window(arrivals: list[float]) -> int:
    return max((sum(at <= later < at + WINDOW_S for later in arrivals) for at in arrivals), default=0)


@given(st.integers(1, 20), st.lists(st.floats(0, 3), max_size=60))
@settings(max_examples=60, deadline=None)
def test_no_window_ever_holds_more_than_the_limit(limit: int, pauses: list[float]) -> None:
    clock = Clock()
    limiter = RateLimiter(clock=clock, sleep=clock.sleep)
    starts = []
    for pause in pauses:
        clock.now += pause
        limiter.acquire(burst(limit))
        starts.append(clock.now)
    assert most_in_a_window(starts) <= limit


@given(st.integers(1, 10), st.lists(st.tuples(st.floats(0, 2), st.floats(0, 5)), max_size=40))
@settings(max_examples=60, deadline=None)
def test_a_call_that_arrives_late_counts_when_it_may_have_arrived(limit: int, calls: list[tuple[float, float]]) -> None:
    """Each call arrives at the CRM any time before its answer, and the next one may start before that."""
    clock = Clock()
    limiter = RateLimiter(clock=clock, sleep=clock.sleep)
    arrivals = []
    for pause, takes in calls:
        clock.now += pause
        permit = limiter.acquire(burst(limit))
        clock.now += takes
        limiter.observe(permit, RateLimitStatus())
        arrivals.append(clock.now)
    assert most_in_a_window(arrivals) <= limit


def test_the_limit_in_an_answer_replaces_the_default() -> None:
    clock = Clock()
    limiter = RateLimiter(clock=clock, sleep=clock.sleep)
    limiter.observe(limiter.acquire(burst(100)), RateLimitStatus(limit=2, window_s=1.0))
    for _ in range(2):
        limiter.acquire(burst(100))
    assert 1.0 <= clock.slept <= 1.2


def spend(
    limiter: RateLimiter, clock: Clock, limit: int, others: int, seconds: float, *, call_s: float
) -> tuple[int, int]:
    """Call a CRM with a sliding window, of which other apps use a part, for ``seconds``: (accepted, rejected)."""
    accepted: list[float] = []
    rejected, end = 0, clock.now + seconds
    while clock.now < end:
        permit = limiter.acquire(burst(limit))
        used = sum(at > clock.now - WINDOW_S for at in accepted)
        if used + others >= limit:
            rejected += 1
            limiter.pause(burst(limit), 1.0)
        else:
            accepted.append(clock.now)
        remaining = max(0, limit - others - used - 1)
        clock.now += call_s
        limiter.observe(permit, RateLimitStatus(limit=limit, window_s=WINDOW_S, remaining=remaining))
    return len(accepted), rejected


@given(st.integers(20, 200), st.floats(0.2, 0.9), st.sampled_from([0.005, 0.03, 0.1]))
@settings(max_examples=30, deadline=None)
def test_calls_that_other_apps_use_are_reserved_for_them(limit: int, share: float, call_s: float) -> None:
    clock = Clock()
    others = int(limit * share)
    accepted, rejected = spend(RateLimiter(clock=clock, sleep=clock.sleep), clock, limit, others, 60.0, call_s=call_s)
    assert rejected <= max(2, 0.01 * (accepted + rejected))
    rate = min((limit - others) / (WINDOW_S + MARGIN_S), 1 / call_s)
    assert accepted >= 0.9 * rate * 50.0


def test_reserved_calls_that_others_no_longer_use_are_used_again() -> None:
    clock = Clock()
    limiter = RateLimiter(clock=clock, sleep=clock.sleep)
    spend(limiter, clock, 100, 60, 30.0, call_s=0.01)
    spend(limiter, clock, 100, 0, 20.0, call_s=0.01)
    accepted, rejected = spend(limiter, clock, 100, 0, 40.0, call_s=0.01)
    assert (accepted >= 380, rejected) == (True, 0)


def test_a_pause_stops_all_callers_of_that_bucket_only() -> None:
    clock = Clock()
    windows = InProcess(clock)
    ours, theirs = RateLimiter(windows, clock, clock.sleep), RateLimiter(windows, clock, clock.sleep)
    ours.pause(burst(10), 3.0)
    theirs.acquire(Bucket("search", 5, 1.0))
    assert clock.slept == 0
    theirs.acquire(burst(10))
    assert 3.0 <= clock.slept <= 3.1


def test_calls_without_a_limit_never_wait() -> None:
    clock = Clock()
    limiter = RateLimiter(clock=clock, sleep=clock.sleep)
    for _ in range(1000):
        limiter.observe(limiter.acquire(Bucket("calls")), RateLimitStatus(day_used=1, day_limit=2))
    assert clock.slept == 0


def test_threads_share_one_window() -> None:
    clock, permits = Clock(), []
    limiter = RateLimiter(clock=lambda: 0.0, sleep=clock.sleep)

    def call() -> None:
        permits.append(limiter.acquire(burst(20)))

    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(permit.used for permit in permits) == list(range(1, 21))
    assert all(isinstance(permit, Permit) for permit in permits)
    wait = limiter._windows.try_acquire(burst(20), (20, WINDOW_S)).wait_s
    assert wait == WINDOW_S + MARGIN_S


def test_a_log_is_stored_under_the_names_that_workers_of_the_version_before_read() -> None:
    stored = {"calls": [1.0, 2.0], "hold_until": 3.0, "others": 4, "others_until": 5.0}
    log = SlidingWindowLog(calls=[1.0, 2.0], paused_until=3.0, foreign_calls=4, foreign_until=5.0)
    assert log.to_json() == stored
    assert SlidingWindowLog.from_json({**stored, "invented": 6}) == log
