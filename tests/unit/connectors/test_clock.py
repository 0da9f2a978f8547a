"""The one clock: aware, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from connectors import clock


def test_now_is_aware_and_utc() -> None:
    assert clock.now().utcoffset() == timedelta(0)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)
