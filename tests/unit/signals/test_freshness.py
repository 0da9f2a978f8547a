"""Nothing is scored on data that is empty, old or has shrunk."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from worker.settings.trust import TrustSettings
from worker.signals.data_report import Volume
from worker.signals.errors import StaleData
from worker.signals.freshness import check_fresh

AS_OF = datetime(2026, 3, 10, 6, tzinfo=UTC)
GOOD = Volume(50_000, AS_OF - timedelta(hours=1), last_day_events=900, usual_same_weekday=1000.0, accounts=300)
DAY = timedelta(days=1)


def test_good_data_passes() -> None:
    check_fresh(GOOD, AS_OF, DAY, previous_accounts=310)


@pytest.mark.parametrize(
    ("volume", "said"),
    [
        (replace(GOOD, events=0, latest=None), "no events at all"),
        (replace(GOOD, accounts=0), "no accounts"),
        (replace(GOOD, latest=AS_OF - timedelta(hours=25)), "25 hours old"),
        (replace(GOOD, last_day_events=499), "499 events, usual for that weekday are 1000"),
        (replace(GOOD, accounts=149), "149 accounts, the last run saw 300"),
    ],
)
def test_what_is_wrong_is_said(volume: Volume, said: str) -> None:
    with pytest.raises(StaleData, match=said):
        check_fresh(volume, AS_OF, DAY, previous_accounts=300)


def test_every_reason_is_given_at_once() -> None:
    with pytest.raises(StaleData, match=r"hours old.*usual for that weekday.*the last run saw"):
        check_fresh(Volume(9, AS_OF - 3 * DAY, 1, 100.0, 10), AS_OF, DAY, previous_accounts=30)


@pytest.mark.parametrize(
    "volume",
    [
        replace(GOOD, latest=AS_OF - timedelta(hours=24)),
        replace(GOOD, last_day_events=500),
        replace(GOOD, last_day_events=0, usual_same_weekday=None),
        replace(GOOD, last_day_events=3, usual_same_weekday=19.0),
        replace(GOOD, accounts=150),
    ],
)
def test_exactly_at_the_limit_or_nothing_to_compare_with_is_enough(volume: Volume) -> None:
    check_fresh(volume, AS_OF, DAY, previous_accounts=300)


def test_as_many_accounts_may_vanish_as_the_settings_allow() -> None:
    few = replace(GOOD, accounts=60)
    check_fresh(few, AS_OF, DAY, previous_accounts=300, trust=TrustSettings(vanished=0.8))
    for vanished in (0.05, 0.79):
        with pytest.raises(StaleData, match=r"if that is right, raise trust\.vanished"):
            check_fresh(few, AS_OF, DAY, previous_accounts=300, trust=TrustSettings(vanished=vanished))


def test_the_share_of_usual_events_that_must_be_left_is_a_setting() -> None:
    few = replace(GOOD, last_day_events=300)
    check_fresh(few, AS_OF, DAY, trust=TrustSettings(least_usual=0.3))
    with pytest.raises(StaleData, match="usual for that weekday"):
        check_fresh(few, AS_OF, DAY, trust=TrustSettings(least_usual=0.31))


def test_a_first_run_has_no_accounts_to_compare_with() -> None:
    check_fresh(replace(GOOD, accounts=1), AS_OF, DAY)
