"""HubSpot's three limits: ten seconds per app, one second for search, one day per portal."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from connectors.sandbox.hubspot.auth import Caller
from connectors.sandbox.hubspot.errors import JsonObject, RequestRejected, burst_limit, daily_limit, secondly_limit
from connectors.sandbox.hubspot.options import Options

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
    """Counts of accepted calls."""

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
        self, bucket: Bucket, app: str, at: datetime, options: Options, foreign_calls: int
    ) -> RequestRejected | None:
        """The 429 this call gets, or None after counting it.

        ``foreign_calls`` is what other apps used of the window. A rejected call is not counted.
        """
        day = at.astimezone(ZoneInfo(options.time_zone)).date().isoformat()
        if day != self._day:
            self._day, self.used_today = day, 0
        if bucket == "open":
            return None
        if self.used_today >= options.daily:
            return daily_limit(f"{self._app_id}-{self.used_today}")
        second = int(at.timestamp())
        if bucket == "search":
            if self._search[second] >= options.search_max:
                return secondly_limit()
            self._search = Counter({second: self._search[second] + 1})
        elif bucket == "core":
            window = self._window(app, second)
            if len(window) + foreign_calls >= options.plan_max:
                return burst_limit(self._app_id)
            window.append(second)
        self.used_today += 1
        return None

    def headers(
        self, bucket: Bucket, caller: Caller, at: datetime, options: Options, foreign_calls: int
    ) -> dict[str, str]:
        """The rate headers of an answer. Answers to OAuth apps lack the daily pair.

        Search answers carry only the daily pair (recorded).
        """
        shown: dict[str, int] = {}
        if bucket == "core":
            now = int(at.timestamp())
            window, secondly = self._window(caller.app, now), options.plan_max // WINDOW_S
            shown |= {
                "Max": options.plan_max,
                "Remaining": max(0, options.plan_max - len(window) - foreign_calls),
                "Interval-Milliseconds": WINDOW_S * 1000,
                "Secondly": secondly,
                "Secondly-Remaining": max(0, secondly - window.count(now)),
            }
        if not caller.oauth and bucket != "open":
            shown |= {"Daily": options.daily, "Daily-Remaining": max(0, options.daily - self.used_today)}
        return {f"X-HubSpot-RateLimit-{name}": str(value) for name, value in shown.items()}

    def used_in_window(self, app: str, at: datetime) -> int:
        """Accepted calls of one app in the current second and the nine before it."""
        return len(self._window(app, int(at.timestamp())))

    def _window(self, app: str, second: int) -> deque[int]:
        window = self._windows.setdefault(app, deque())
        while window and second - window[0] >= WINDOW_S:
            window.popleft()
        return window
