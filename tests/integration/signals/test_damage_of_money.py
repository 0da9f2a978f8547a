"""Amounts of a clean company come in several currencies: they are converted, or their total is unknown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.signals.damage_kit import ACCOUNTS, company
from tests.integration.signals.damage_trial import Trial, examples, signals_of_tables, trial_in
from tests.integration.signals.signals_kit import Database

SOME = st.sets(st.sampled_from(ACCOUNTS), min_size=2, max_size=9)


@pytest.fixture(scope="module")
def money_trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """The company with the tables of amounts."""
    names = ("accounts", "events", "subscriptions", "invoices")
    return trial_in(Database("duckdb", tmp_path_factory.mktemp("money")), signals_of_tables(names), names)


@examples(3)
@given(
    accounts=SOME,
    other=st.sampled_from(["USD", "usd ", "CHF"]),
    rates=st.sampled_from([[], [{"since": "2026-01-01", "worth": {"USD": 0.5}}]]),
)
def test_amounts_in_several_currencies_are_never_added(
    money_trial: Trial, accounts: set[str], other: str, rates: list[dict[str, Any]]
) -> None:
    data = company()
    changed = [row for row in data["subscriptions"] if row["account_id"] in accounts and row["product"] == "core"]
    for row in changed:
        row["currency"] = other
    number = {account: sum(row["account_id"] == account for row in data["subscriptions"]) for account in accounts}
    settings: dict[str, Any] = {"reporting_currency": "EUR", "rates": rates} if rates else {}
    found = money_trial.measured(data, **settings)
    convertible = bool(rates) and other != "CHF"
    unknown = set() if convertible else {one for one, many in number.items() if rates or many > 1}
    findings = found.report.table("subscriptions")
    assert findings is not None
    said = {cells.name: cells.incomparable for cells in findings.columns}
    assert said.get("currency", 0) == sum(number[account] for account in unknown)
    assert {found.accounts[account]["mrr"] for account in unknown} <= {None}
    if convertible:
        for row in changed:
            account = str(row["account_id"])
            total = money_trial.clean[account]["mrr"]
            assert isinstance(total, int | float)
            assert found.accounts[account]["mrr"] == total - row["mrr"] / 2
    skipped = {account: {**money_trial.clean[account]} for account in accounts if convertible}
    money_trial.hold({**found.accounts, **skipped}, dict.fromkeys(unknown, ("mrr",)))
