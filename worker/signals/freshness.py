"""Refuse to score on data that is empty, old or has shrunk."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from worker.language.plural import counted
from worker.settings.trust import TrustSettings
from worker.signals.data_report import Volume
from worker.signals.errors import StaleData

_ENOUGH_TO_COMPARE = 20
"""Below this many events, half of the usual is chance, and so is a silence in which so few are usual."""
_LEAST_ACCOUNTS = 0.5
_WEEK = timedelta(weeks=1)
_DEFAULTS = TrustSettings()

__all__ = ["StaleData", "check_fresh"]


def check_fresh(
    volume: Volume,
    as_of: datetime,
    max_age: timedelta,
    previous_accounts: int | None = None,
    usual_since: Callable[[datetime], float | None] = lambda _: None,
    trust: TrustSettings = _DEFAULTS,
) -> None:
    """Raise StaleData, with every reason, when ``volume`` at ``as_of`` cannot be trusted.

    ``max_age`` is how old the latest event may be (twice the schedule). An older one is accepted when
    ``usual_since``, the usual number of events since then, is small: a weekend is no broken pipeline.
    ``previous_accounts`` is how many accounts the last run saw: at most half of them, or the share ``trust.vanished``
    where that is more, may be missing. The last full day must have at least the share ``trust.least_usual`` of the
    events usual for its weekday, where twenty or more are usual.
    """
    reasons = []
    if volume.events == 0:
        reasons.append("there are no events at all before this moment")
    if volume.accounts == 0:
        reasons.append("there are no accounts")
    if (
        volume.latest is not None
        and as_of - volume.latest > max_age
        and not _is_quiet(volume.latest, as_of, usual_since)
    ):
        age = (as_of - volume.latest).total_seconds() / 3600
        reasons.append(
            f"the latest event is {age:.0f} hours old ({volume.latest:%Y-%m-%d %H:%M} UTC); "
            f"{max_age.total_seconds() / 3600:.0f} hours are allowed"
        )
    usual = volume.usual_same_weekday
    if usual is not None and usual >= _ENOUGH_TO_COMPARE and volume.last_day_events < trust.least_usual * usual:
        reasons.append(
            f"the last full day has {counted(volume.last_day_events, 'event')}, usual for that weekday are {usual:.0f}"
        )
    if previous_accounts and volume.accounts < min(_LEAST_ACCOUNTS, 1 - trust.vanished) * previous_accounts:
        reasons.append(
            f"the source has {counted(volume.accounts, 'account')}, the last run saw {previous_accounts:,}; "
            "if that is right, raise trust.vanished in config/product.yaml for one run"
        )
    if reasons:
        raise StaleData("the product data cannot be trusted: " + "; ".join(reasons))


def _is_quiet(latest: datetime, as_of: datetime, usual_since: Callable[[datetime], float | None]) -> bool:
    """Whether these hours of the week are usually quiet. The rhythm of weeks explains no silence of a whole week."""
    if as_of - latest >= _WEEK:
        return False
    usual = usual_since(latest)
    return usual is not None and usual < _ENOUGH_TO_COMPARE
