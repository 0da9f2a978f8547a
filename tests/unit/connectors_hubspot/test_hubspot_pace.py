"""The pace never lets more calls start in a window than HubSpot allows."""

from __future__ import annotations

import threading

from hubspot_kit import Clock
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.hubspot.pace import Pace


@given(st.integers(1, 20), st.lists(st.floats(0, 3), max_size=80))
@settings(max_examples=60)
def test_no_window_ever_holds_more_than_the_limit(limit, pauses):
    clock = Clock()
    pace = Pace(limit, 10.0, clock, clock.sleep)
    starts = []
    for pause in pauses:
        clock.now += pause
        pace.wait()
        starts.append(clock.now)
    for n, start in enumerate(starts):
        assert sum(start <= later < start + 10.0 for later in starts[n:]) <= limit


def test_the_limit_of_the_headers_replaces_the_cold_one():
    clock = Clock()
    pace = Pace(100, 10.0, clock, clock.sleep)
    pace.learn({"X-HubSpot-RateLimit-Max": "2", "X-HubSpot-RateLimit-Interval-Milliseconds": "1000"})
    for _ in range(3):
        pace.wait()
    assert 1.0 <= sum(clock.slept) <= 1.2


def test_a_window_that_others_emptied_is_left_to_refill():
    clock = Clock()
    pace = Pace(100, 10.0, clock, clock.sleep)
    pace.learn({"X-HubSpot-RateLimit-Max": "100", "X-HubSpot-RateLimit-Remaining": "0"})
    pace.wait()
    assert sum(clock.slept) >= 1.0


def test_threads_share_one_window():
    lock, waits = threading.Lock(), []

    def sleep(seconds: float) -> None:
        with lock:
            waits.append(seconds)

    pace = Pace(5, 10.0, lambda: 0.0, sleep)
    threads = [threading.Thread(target=pace.wait) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(round(wait // 10) for wait in waits) == [1] * 5 + [2] * 5 + [3] * 5
