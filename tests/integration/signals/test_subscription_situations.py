"""The table of situations, worked out by hand: the definition and every engine give what it says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.signals.signals_kit import Database, product_of, signals_of
from tests.integration.signals.subscriptions_oracle import account_state
from worker.language.values import Value
from worker.settings.shipped import shipped_files
from worker.signals.compute import compute
from worker.signals.source import open_source

DAYS = [datetime.fromisoformat(f"2026-{day}T00:00+00:00") for day in ("01-15", "02-15", "03-15", "04-15", "06-15")]
SITUATIONS = yaml.safe_load((Path(__file__).parent / "subscription_situations.yaml").read_text())
COLUMNS = {"plan": "plan", "mrr": "mrr", "seats": "seats", "status": "status", "product": "product"}
COLUMNS |= {"currency": "currency", "tier": "tier_rank"}
STATUS = {"cancelled": "cancelled_at_term_end", "unknown": None, "none": None}


def moment(text: str) -> datetime | None:
    full = text if len(text) != 5 else f"2026-{text}"
    return datetime.fromisoformat(full).replace(tzinfo=UTC) if text else None


def subscription(written: dict[str, Any]) -> dict[str, Any]:
    """A row of ours; what the table does not say is not known."""
    row = {ours: written.get(short) for short, ours in COLUMNS.items()}
    for kind in ("trial", "term"):
        since, _, until = written.get(kind, "..").partition("..")
        row |= {f"{kind}_start": moment(since), f"{kind}_end": moment(until)}
    return row | {f"{name}_at": moment(str(written.get(name, ""))) for name in ("cancelled", "ended")}


def wanted(cell: str, left: int | None) -> dict[str, Value]:
    """What an answer of the table means."""
    plan, pays, money, renewal, status = cell.split()
    mrr, _, bought = money.partition("/")
    return {
        "plan": "unsubscribed" if plan == "none" else plan,
        "paying": {"pays": True, "free": False, "unknown": None}[pays],
        "mrr": None if mrr == "unknown" else int(mrr),
        "subscription.renews": {"-": False, "unknown": None}.get(renewal, True),
        "days_to_renewal": int(renewal) if renewal.isdigit() else None,
        "subscription.status": STATUS.get(status, status),
        "trialing": None if status == "unknown" else status == "trialing",
        **({} if left is None else {"trial_days_left": left}),
        **({"seat_limit": int(bought)} if bought else {}),
    }


def cells() -> list[tuple[str, list[dict[str, Any]], datetime, dict[str, Value]]]:
    found = []
    for situation in SITUATIONS:
        rows = [subscription(row) for row in situation["rows"]]
        lefts = situation.get("left", [None] * len(DAYS))
        for day, cell, left in zip(DAYS, situation["then"], lefts, strict=True):
            found.append((situation["name"], rows, day, wanted(cell, left)))
    return found


def test_the_table_holds_forty_situations_and_more() -> None:
    assert len(SITUATIONS) >= 40
    assert len({situation["name"] for situation in SITUATIONS}) == len(SITUATIONS)


@pytest.mark.parametrize(
    ("name", "rows", "at", "right"), cells(), ids=[f"{name} {at:%m-%d}" for name, _, at, _ in cells()]
)
def test_the_definition_gives_what_the_table_says(
    name: str, rows: list[dict[str, Any]], at: datetime, right: dict[str, Value]
) -> None:
    state = account_state(rows, at)
    found = {
        "plan": state.plan or "unsubscribed",
        "paying": state.paying,
        "mrr": state.mrr,
        "subscription.renews": state.renews,
        "days_to_renewal": state.days_to_renewal,
        "subscription.status": state.status,
        "trial_days_left": state.trial_days_left,
        "seat_limit": state.seats,
    }
    assert found == found | {key: value for key, value in right.items() if key in found}, name


def test_the_shipped_signals_give_what_the_table_says_in_every_engine(database: Database) -> None:
    shipped = yaml.safe_load((shipped_files() / "config" / "signals.yaml").read_text())["signals"]
    signals = signals_of(
        yaml.safe_dump({"signals": {k: v for k, v in shipped.items() if v.get("from") == "subscriptions"}})
    )
    names = [situation["name"] for situation in SITUATIONS]
    tables: dict[str, list[dict[str, Any]]] = {
        "accounts": [{"account_id": name} for name in names],
        "events": [],
        "subscriptions": [
            {"account_id": situation["name"], **subscription(row)}
            for situation in SITUATIONS
            for row in situation["rows"]
        ],
    }
    database.fill(tables)
    product = product_of(database.source, tables)
    with open_source(product, database.folder) as source:
        answers = {day: compute(source, product, signals, [], day) for day in DAYS}
    wrong = {}
    for name, _, day, right in cells():
        found = {key: answers[day][name][key] for key in right}
        if found != right:
            wrong[f"{name} {day:%m-%d}"] = {key: (found[key], right[key]) for key in right if found[key] != right[key]}
    assert not wrong
