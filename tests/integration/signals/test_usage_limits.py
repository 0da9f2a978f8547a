"""The limits of a plan that stand there once per period are not added up: the latest row of each metric counts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.signals.signals_kit import TYPES, Database, at, product_of, signals_of
from worker.language.values import Value
from worker.signals.compute import compute
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")
MONTHS = (at("2026-01-31"), at("2026-02-28"))
SIGNALS = signals_of("signals: {used: {label: x, from: usage_limits, measure: sum, column: used}}")
TYPED = {
    **TYPES,
    "usage_limits": {"account_id": "text", "metric": "text", "used": "number", "limit": "number", "updated_at": "time"},
}


def rows_of(account: str, *used: float, metric: str | None = "api") -> list[dict[str, Any]]:
    return [
        {"account_id": account, "metric": metric, "used": number, "limit": 100, "updated_at": month}
        for number, month in zip(used, MONTHS, strict=False)
    ]


ROWS = [
    *rows_of("once", 5),
    *rows_of("twice_the_same", 5, 5),
    *rows_of("per_month", 5, 7),
    *rows_of("two_metrics", 5),
    *rows_of("two_metrics", 7, metric="seats"),
    *rows_of("no_metric", 5, 7, metric=None),
]
SAME = {"once": 5, "twice_the_same": 5, "two_metrics": 12, "no_metric": 12}


@pytest.mark.parametrize(
    ("mapped", "per_month", "remark"),
    [
        (
            ("account_id", "metric", "used", "limit", "updated_at"),
            7,
            "2 of 9 rows (22 %) repeat another and count",
        ),
        (("account_id", "metric", "used", "limit"), None, "repeats with another used (map updated_at"),
        (("account_id", "used", "limit"), 12, None),
    ],
)
def test_a_metric_counts_once(
    database: Database, mapped: tuple[str, ...], per_month: float | None, remark: str | None
) -> None:
    rows = [{name: row[name] for name in mapped} for row in ROWS]
    accounts = sorted({row["account_id"] for row in ROWS})
    types = {**TYPED, "usage_limits": {name: TYPED["usage_limits"][name] for name in mapped}}
    database.fill({"accounts": [{"account_id": one} for one in accounts], "events": [], "usage_limits": rows}, types)
    product = product_of(database.source, ["accounts", "events", "usage_limits"])
    with open_source(product, database.folder, AS_OF) as source:
        report = source.report(AS_OF)
        found: dict[str, Value] = {
            name: one["used"] for name, one in compute(source, product, SIGNALS, [], AS_OF).items()
        }
    same = SAME if "metric" in mapped else SAME | {"twice_the_same": 10}
    assert found == same | {"per_month": per_month}
    remarks = [sentence for table, sentence in report.remarks() if table == "usage_limits"]
    assert any(remark in one for one in remarks) if remark else not remarks


def test_a_metric_of_a_company_is_the_sum_of_its_workspaces(database: Database) -> None:
    accounts = [{"account_id": one, "parent_id": "twice" if one == "once" else None} for one in ("once", "twice")]
    rows = [*rows_of("once", 5), *rows_of("twice", 7, 11), *rows_of("twice", 2, metric="seats")]
    database.fill({"accounts": accounts, "events": [], "usage_limits": rows}, TYPED)
    product = product_of(database.source, ["accounts", "events", "usage_limits"], account={"level": "parent"})
    with open_source(product, database.folder, AS_OF) as source:
        source.report(AS_OF)
        found = compute(source, product, SIGNALS, [], AS_OF)
    assert {account: one["used"] for account, one in found.items()} == {"twice": 5 + 11 + 2}
