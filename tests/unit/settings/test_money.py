"""Currencies in config/product.yaml: what is accepted, and what a currency is worth at a moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from worker.settings.known import Known
from worker.settings.product import ProductSettings, check_product

BASE = {
    "version": 1,
    "source": {"folder": "data"},
    "tables": {"accounts": {"table": "accounts"}, "events": {"table": "events"}},
}
RATES = [
    {"since": "2026-03-01", "worth": {"USD": 0.9}},
    {"since": "2026-01-01", "worth": {"USD": 0.8, "GBP": 1.2}},
]


def product(**more: Any) -> ProductSettings:
    return ProductSettings.model_validate({**BASE, **more})


def test_the_newest_rate_that_holds_by_then_counts_currency_by_currency() -> None:
    settings = product(reporting_currency="EUR", rates=RATES)
    moments = [datetime(2025, 12, 31, 23, 59, tzinfo=UTC), datetime(2026, 2, 28, 23, tzinfo=UTC)]
    moments.append(datetime(2026, 3, 1, tzinfo=UTC))
    assert [settings.rates_at(moment) for moment in moments] == [
        {"EUR": 1},
        {"EUR": 1, "USD": 0.8, "GBP": 1.2},
        {"EUR": 1, "USD": 0.9, "GBP": 1.2},
    ]
    assert product().rates_at(moments[0]) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"reporting_currency": "euro"},
        {"reporting_currency": "EUR", "rates": [{"since": "2026-01-01", "worth": {"USD": 0}}]},
        {"reporting_currency": "EUR", "rates": [{"since": "soon", "worth": {"USD": 1.1}}]},
        {"reporting_currency": "EUR", "rates": [{"since": "2026-01-01", "worth": {"usd": 1.1}}]},
        {"dunning_grace": "2 runs"},
        {"dunning_grace": "5bd"},
    ],
)
def test_what_cannot_be_a_rate_a_currency_or_a_number_of_days_is_invalid(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        product(**wrong)


@pytest.mark.parametrize(
    ("settings", "loc", "message"),
    [
        ({"rates": RATES}, ("rates",), "rates need a reporting_currency"),
        (
            {"reporting_currency": "EUR", "rates": [RATES[0], RATES[0]]},
            ("rates", 1, "since"),
            "there are rates since 2026-03-01 already",
        ),
        (
            {"reporting_currency": "USD", "rates": [RATES[0]]},
            ("rates", 0, "worth", "USD"),
            "one USD is always worth 1 USD",
        ),
    ],
)
def test_rates_that_contradict_each_other_are_found(settings: dict[str, Any], loc: Any, message: str) -> None:
    (found,) = check_product(product(**settings), Known())
    assert found.loc == loc
    assert found.message.startswith(message)


def test_the_grace_is_thirty_days_unless_it_is_set() -> None:
    assert (product().grace, product(dunning_grace="2w").grace) == (timedelta(days=30), timedelta(days=14))
