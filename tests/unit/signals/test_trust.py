"""What a run refuses of rows that join to nobody, by what is allowed and by what is usual."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from worker.settings.trust import TrustSettings
from worker.signals.data_report import DataReport
from worker.signals.errors import DistrustedData
from worker.signals.table_findings import JoinFindings, TableFindings
from worker.signals.trust import Usual, check_trust, distrust

TRUST = TrustSettings()


def report(joined: int = 100, given: int = 100, blank: int = 0) -> DataReport:
    join = JoinFindings(
        column="account_id",
        other="accounts",
        given=given,
        joined=joined,
        recent_given=given,
        recent_joined=joined,
        blank=blank,
        recent_blank=blank,
    )
    table = TableFindings(name="events", rows=given + blank, joins=(join,))
    return DataReport(as_of=datetime(2026, 3, 1, tzinfo=UTC), tables=(table,))


def test_a_limit_below_one_percent_is_shown_as_it_is_set() -> None:
    (reason,) = distrust(report(joined=79), TrustSettings(unjoined=0.005))
    assert reason.endswith("; 0.5% are allowed")


@pytest.mark.parametrize(
    ("found", "usual", "says"),
    [
        (report(joined=80), Usual(), None),
        (report(joined=79), Usual(), "21 of 100 events (21%) belong to no account; 20% are allowed"),
        (report(blank=900), Usual(), None),
        (report(blank=900), Usual(named={"events": 0.15}), None),
        (
            report(blank=900),
            Usual(named={"events": 0.9}),
            "900 of 1,000 events (90%) name no account; 10% are usual",
        ),
        (report(given=0, joined=0), Usual(named={"events": 0.9}), None),
        (report(joined=50, given=50), Usual(rows={"events": 100}), None),
        (report(joined=49, given=49), Usual(rows={"events": 100}), "events has 49 rows, 100 are usual"),
        (report(joined=0, given=0), Usual(rows={"events": 21}), "events has 0 rows, 21 are usual"),
        (report(joined=9, given=9), Usual(rows={"events": 20}), None),
        (report(joined=0, given=0), Usual(rows={"events": 5}), "events has 0 rows, 5 are usual"),
        (report(joined=0, given=0), Usual(rows={"events": 4}), None),
        (report(joined=0, given=0), Usual(rows={"tickets": 100}), None),
        (report(given=0, joined=0, blank=5), Usual(named={"events": 0.9}), "5 of 5 events (100%) name no account"),
    ],
)
def test_what_does_not_join_is_measured_by_what_is_allowed_and_what_is_usual(
    found: DataReport, usual: Usual, says: str | None
) -> None:
    reasons = list(distrust(found, TRUST, usual))
    assert [says in reason for reason in reasons if says] == [True] * bool(says)
    assert bool(reasons) is bool(says)
    if says:
        with pytest.raises(DistrustedData, match="events"):
            check_trust(found, TRUST, usual)


def test_half_of_a_usual_share_of_joins_is_refused_where_more_is_allowed() -> None:
    lenient = TrustSettings.model_validate({"unjoined": "90%"})
    assert list(distrust(report(joined=40), lenient, Usual(joined={"events": 0.75}))) == []
    (reason,) = distrust(report(joined=37), lenient, Usual(joined={"events": 0.75}))
    assert reason.startswith("63 of 100 events (63%) belong to no account; 25% are usual; if that is right")


def test_the_report_stores_both_shares() -> None:
    found = report(joined=50, blank=300)
    assert (found.join_shares(), found.named_shares()) == ({"events": 0.5}, {"events": 0.25})
