"""The time of a CRM's servers is that of the newest answer and goes on from there."""

from __future__ import annotations

from datetime import UTC, datetime

from connectors.server_clock import ServerClock

FIRST, LATER = (f"Tue, 29 Feb 2028 05:0{minute}:00 GMT" for minute in (0, 1))


def test_the_newest_date_counts_and_goes_on() -> None:
    seconds = 100.0
    clock = ServerClock(lambda: seconds)
    for unreadable in (None, "", "soon", "Tue, 99 Feb 2028 05:00:00 GMT"):
        clock.observe(unreadable)
        assert clock.now() is None
    clock.observe(LATER)
    seconds += 10
    clock.observe(FIRST)
    assert clock.now() == datetime(2028, 2, 29, 5, 1, 10, tzinfo=UTC)
    clock.observe(LATER)
    assert clock.now() == datetime(2028, 2, 29, 5, 1, tzinfo=UTC)
