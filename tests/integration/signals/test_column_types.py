"""Ids and texts keep their meaning, whatever type the source gives their columns."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import psycopg
import pytest

from tests.integration.signals.signals_kit import at, product_of, signals_of
from worker.language.values import Value
from worker.signals import compute, open_source

AS_OF = at("2026-03-10T06:00")
UUIDS = ("0b6f6c2e-6f7e-4a39-9f3e-0c5f7b2f1a01", "0b6f6c2e-6f7e-4a39-9f3e-0c5f7b2f1a02")
SIGNALS = """
signals:
  n: {label: n, from: events, measure: count, events: [Used]}
  people: {label: people, from: events, measure: users}
  plan: {label: plan, unit: text, from: subscriptions, measure: top, column: plan}
"""
TYPED = (
    "CREATE TABLE accounts (account_id UUID)",
    f"INSERT INTO accounts VALUES ('{UUIDS[0]}'), ('{UUIDS[1]}')",
    "CREATE TYPE plan_of AS ENUM ('pro', 'free')",
    "CREATE TABLE subscriptions (account_id UUID, plan plan_of, status VARCHAR)",
    f"INSERT INTO subscriptions VALUES ('{UUIDS[0]}', 'pro', 'active')",
    "CREATE TABLE events (account_id UUID, user_id UUID, name VARCHAR, occurred_at TIMESTAMP)",
    f"INSERT INTO events VALUES ('{UUIDS[0]}', '{UUIDS[1]}', 'Used', '2026-03-09')",
)


def _source(kind: str, request: pytest.FixtureRequest, folder: Path) -> dict[str, str]:
    if kind == "postgres":
        url = request.getfixturevalue("postgres_url")
        (folder / "url.txt").write_text(url)
        with psycopg.connect(url, autocommit=True) as server:
            for statement in TYPED:
                server.execute(statement)
        return {"postgres": "file:url.txt"}
    with duckdb.connect(str(folder / "product.duckdb")) as duck:
        for statement in TYPED:
            duck.execute(statement)
        if kind == "parquet":
            for name in ("accounts", "subscriptions", "events"):
                duck.execute(f"COPY {name} TO '{folder / f'{name}.parquet'}' (FORMAT parquet)")
    return {"duckdb": "product.duckdb"} if kind == "duckdb" else {"folder": "."}


def _measured(source: dict[str, str], folder: Path) -> dict[str, dict[str, Value]]:
    product = product_of(source, ["accounts", "subscriptions", "events"])
    with open_source(product, folder, AS_OF) as opened:
        opened.report(AS_OF)
        found = compute(opened, product, signals_of(SIGNALS), [], AS_OF)
    return {account: {name: values[name] for name in ("n", "people", "plan")} for account, values in found.items()}


@pytest.mark.parametrize("kind", ["parquet", "duckdb", "postgres"])
def test_uuids_and_enums_are_texts(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    assert _measured(_source(kind, request, tmp_path), tmp_path) == {
        UUIDS[0]: {"n": 1, "people": 1, "plan": "pro"},
        UUIDS[1]: {"n": 0, "people": 0, "plan": None},
    }


def test_text_that_sqlite_holds_as_bytes_is_text(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "product.sqlite")) as lite, lite:
        lite.execute("CREATE TABLE accounts (account_id, name)")
        lite.execute("INSERT INTO accounts VALUES (?, ?)", (b"acme", b"Acme"))
        lite.execute("CREATE TABLE subscriptions (account_id, plan, status)")
        lite.execute("INSERT INTO subscriptions VALUES (?, ?, ?)", ("acme", b"pro", b"active"))
        lite.execute("CREATE TABLE events (account_id, user_id, name, occurred_at)")
        lite.execute("INSERT INTO events VALUES (?, ?, ?, ?)", ("acme", b"u1", b"Used", "2026-03-09"))
    assert _measured({"sqlite": "product.sqlite"}, tmp_path) == {"acme": {"n": 1, "people": 1, "plan": "pro"}}
