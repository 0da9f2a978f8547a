"""Bytes that are no UTF-8 are unreadable: counted by column, unknown, and nothing stops."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.integration.signals.signals_kit import SPREAD, Database, at, product_of, signals_of
from worker.language.values import Value
from worker.signals.compute import compute
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")
TABLES: dict[str, list[dict[str, Any]]] = {
    "accounts": [{"account_id": one, "name": one, "employees": 7, "created_at": at("2026-01-01")} for one in "abc"],
    "events": [
        {"account_id": one, "user_id": "u", "name": "Used", "occurred_at": at("2026-03-09"), "props": {"tier": "gold"}}
        for one in "abc"
    ],
    "surveys": [{"account_id": one, "kind": "nps", "score": 3, "responded_at": at("2026-03-01")} for one in "abc"],
}
SIGNALS = """
signals:
  used: {label: x, from: events, measure: count, events: [Used]}
  people: {label: x, from: events, measure: users}
  gold: {label: x, from: events, measure: count, where: {props.tier: gold}}
  score: {label: x, from: surveys, measure: latest, column: score, where: {kind: nps}}
"""
CLEAN = {"account.name": "b", "account.employees": 7, "used": 1, "people": 1, "gold": 1, "score": 3}
DAMAGE: list[tuple[str, str, dict[str, Value] | None]] = [
    ("accounts", "account_id", None),
    ("accounts", "name", {"account.name": None}),
    ("accounts", "employees", {"account.employees": None}),
    ("accounts", "created_at", {"account.created_at": None}),
    ("accounts", "domain", {"account.domain": None}),
    ("events", "name", {"used": None, "people": 1}),
    ("events", "user_id", {"used": 1, "people": None}),
    ("events", "occurred_at", {"used": None}),
    ("events", "props", {"used": 1, "gold": None}),
    ("surveys", "kind", {"score": None}),
    ("surveys", "score", {"score": None}),
]


@pytest.fixture(params=["sqlite", "several"])
def lite(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """SQLite, which takes any bytes for text, alone and among other sources."""
    return Database(
        request.param, tmp_path, request.getfixturevalue("postgres_url") if request.param != "sqlite" else ""
    )


@pytest.mark.parametrize(("table", "column", "expected"), DAMAGE, ids=[".".join(one[:2]) for one in DAMAGE])
def test_text_that_is_no_utf_8_is_counted_and_unknown(
    lite: Database, table: str, column: str, expected: dict[str, Value] | None
) -> None:
    if lite.kind == "several" and SPREAD[table] != "sqlite":
        pytest.skip("this table is in a source whose texts are UTF-8 by themselves")
    lite.fill(TABLES)
    before = '{"tier": "' if column == "props" else ""
    damaged = "CAST(CAST(? AS BLOB) || x'e9' AS TEXT)"
    with closing(sqlite3.connect(lite.folder / "product.sqlite")) as file, file:
        file.execute(f"UPDATE {table} SET {column} = {damaged} WHERE account_id = 'a'", (before,))
    product = product_of(lite.source, TABLES)
    with open_source(product, lite.folder, AS_OF) as source:
        report = source.report(AS_OF)
        found = compute(source, product, signals_of(SIGNALS), [], AS_OF)
    cells = {one.name: one.unreadable for part in report.tables if part.name == table for one in part.columns}
    said = [sentence for name, sentence in report.remarks() if name == table and f"a {column} that" in sentence]
    assert cells == {column: 1}
    assert said == [f"1 of 3 rows (33 %) have a {column} that cannot be read"]
    assert ("a" in found) is (expected is not None)
    assert expected is None or found["a"] | expected == found["a"]
    assert found["b"] | CLEAN == found["b"]
