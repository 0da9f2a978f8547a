"""HubSpot's three limits: ten seconds per app, one second for search, one day per portal."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from connectors.sandbox.hubspot.errors import JsonObject, RequestRejected, burst_limit, daily_limit, secondly_limit

Bucket = Literal["core", "search", "association", "open"]
"""The limits of a path: search and association batches are exempt from the ten seconds, logins from all."""

WINDOW_S = 10


@dataclass(frozen=True, slots=True)
class Competitor:
    """Another app that uses ``rps`` calls per second of the window until ``until_ms``."""

    rps: int = 0
    until_ms: int = 0

    def takes(self, at_ms: int) -> int:
        """Calls of the window that the other app uses."""
        return self.rps * WINDOW_S if at_ms < self.until_ms else 0


class Limits:
    """Counts of accepted calls. Times are seconds since 1970."""

    def __init__(self, app_id: str) -> None:
        self._app_id = app_id
        self._windows: dict[str, deque[int]] = {}
        self._search: Counter[int] = Counter()
        self._day = ""
        self.used_today = 0

    def usage(self) -> JsonObject:
        """The portal's day and its calls, for `resume`."""
        return {"day": self._day, "used": self.used_today}

    def resume(self, usage: JsonObject) -> None:
        """Continue with the counts of `usage`."""
        self._day, self.used_today = str(usage["day"]), int(usage["used"])

    def rejection(
        self,
        bucket: Bucket,
        app: str,
        at: float,
        *,
        plan_max: int,
        search_max: int,
        daily: int,
        day: str,
        foreign_calls: int,
    ) -> RequestRejected | None:
        """The 429 this call gets, or None after counting it.

        ``day`` names the portal's current day; ``foreign_calls`` is what other apps used of the window. A rejected
        call is not counted.
        """
        if day != self._day:
            self._day, self.used_today = day, 0
        if bucket == "open":
            return None
        if self.used_today >= daily:
            return daily_limit(f"{self._app_id}-{self.used_today}")
        second = int(at)
        if bucket == "search":
            if self._search[second] >= search_max:
                return secondly_limit()
            self._search = Counter({second: self._search[second] + 1})
        elif bucket == "core":
            window = self._window(app, second)
            if len(window) + foreign_calls >= plan_max:
                return burst_limit(self._app_id)
            window.append(second)
        self.used_today += 1
        return None

    def headers(
        self, bucket: Bucket, app: str, at: float, plan_max: int, daily: int | None, foreign_calls: int
    ) -> list[tuple[str, str]]:
        """The rate headers of an answer. ``daily`` is None for OAuth apps, whose answers lack it.

        Search answers carry only the daily pair (recorded).
        """
        shown: list[tuple[str, str]] = []
        if bucket == "core":
            used = len(self._window(app, int(at))) + foreign_calls
            in_second = sum(1 for second in self._window(app, int(at)) if second == int(at))
            secondly = plan_max // WINDOW_S
            shown += [
                ("X-HubSpot-RateLimit-Max", str(plan_max)),
                ("X-HubSpot-RateLimit-Remaining", str(max(0, plan_max - used))),
                ("X-HubSpot-RateLimit-Interval-Milliseconds", str(WINDOW_S * 1000)),
                ("X-HubSpot-RateLimit-Secondly", str(secondly)),
                ("X-HubSpot-RateLimit-Secondly-Remaining", str(max(0, secondly - in_second))),
            ]
        if daily is not None and bucket != "open":
            shown += [
                ("X-HubSpot-RateLimit-Daily", str(daily)),
                ("X-HubSpot-RateLimit-Daily-Remaining", str(max(0, daily - self.used_today))),
            ]
        return shown

    def used_in_window(self, app: str, at: float) -> int:
        """Accepted calls of one app in the current second and the nine before it."""
        return len(self._window(app, int(at)))

    def _window(self, app: str, second: int) -> deque[int]:
        window = self._windows.setdefault(app, deque())
        while window and second - window[0] >= WINDOW_S:
            window.popleft()
        return window


def portal_day(at: datetime, zone: str) -> str:
    """The date in the portal's time zone."""
    return at.astimezone(ZoneInfo(zone)).date().isoformat()
