"""When a used up HubSpot day ends, for a process that writes fields and never asks HubSpot who it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from connectors.base import Journal, QuotaExhausted
from connectors.registry import connect
from tests.contract.connectors.drive import companies, update, values
from tests.contract.connectors.harness_hubspot import HubSpotCrm, start
from tests.contract.connectors.paper_journal import PaperJournal

PACIFIC = ZoneInfo("US/Pacific")


@pytest.fixture
def portal() -> Iterator[HubSpotCrm]:
    portal = start()
    portal.reset()
    portal.control("config", {"time_zone": PACIFIC.key})
    portal.connect().setup(portal.needs(), dry_run=False)
    yield portal
    portal.stop()


def refused_until(portal: HubSpotCrm, journal: Journal | None) -> datetime:
    """The error of a new process that writes one field after the daily quota is used up; it costs one call."""
    [record] = companies(portal, 1)
    portal.arm("quota_exhausted")
    portal.forget_calls()
    with pytest.raises(QuotaExhausted) as caught:
        connect(portal.destination(), journal).write([update(portal, record, score=4)])
    assert len(portal.calls()) == 1
    assert values(portal, [record], "score") == [None]
    return caught.value.until


def test_once_any_process_has_read_the_portal_its_day_ends_at_its_own_midnight(
    portal: HubSpotCrm, tmp_path: Path
) -> None:
    connect(portal.destination(), PaperJournal(tmp_path)).check()
    until = refused_until(portal, PaperJournal(tmp_path)).astimezone(PACIFIC)
    assert (until.hour, until.minute, until.second) == (0, 0, 0)


def test_before_anybody_has_it_is_asked_again_within_the_hour(portal: HubSpotCrm, tmp_path: Path) -> None:
    until = refused_until(portal, PaperJournal(tmp_path))
    assert until <= datetime.now(UTC) + timedelta(hours=1)
