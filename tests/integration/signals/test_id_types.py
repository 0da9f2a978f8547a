"""Ids of every native type join accounts, users, events, memberships and subscriptions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from tests.integration.signals.signals_kit import at, product_of, signals_of
from worker.signals.compute import compute
from worker.signals.errors import SourceError
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")
SIGNALS = signals_of("""
signals:
  used: {label: x, from: events, measure: count}
  active: {label: x, from: events, measure: users}
  top: {label: x, unit: text, from: events, measure: top_user, column: email}
  seats: {label: x, from: memberships, measure: users}
  plan: {label: x, unit: text, from: subscriptions, measure: top, column: plan}
""")
UUIDS = [f"0B6F6C2E-6F7E-4A39-9F3E-0C5F7B2F1A0{n}" for n in range(4)]
WORDS = ["acme", "umbrella", "u1", "u2"]
BIG = [str(9007199254740993 + n) for n in range(4)]
"""Beyond what floating point can tell apart."""
ENUM = f"CREATE TYPE key_of AS ENUM ({', '.join(repr(word) for word in WORDS)})"
TYPES: dict[str, tuple[list[str], list[str], str]] = {
    "uuid": (UUIDS, [one.lower() for one in UUIDS], "UUID"),
    "bigint": (BIG, BIG, "BIGINT"),
    "decimal": (BIG, BIG, "DECIMAL(20, 0)"),
    "enum": (WORDS, WORDS, "key_of"),
    "char": (WORDS, WORDS, "CHAR(12)"),
    "text and char": (WORDS, WORDS, "VARCHAR"),
}


def _statements(ids: list[str], kind: str, of_events: str) -> list[str]:
    one, other, active, deleted = (f"'{key}'" for key in ids)
    return [
        f"CREATE TABLE accounts (account_id {kind})",
        f"INSERT INTO accounts VALUES ({one}), ({other})",
        f"CREATE TABLE users (user_id {kind}, email VARCHAR, deleted_at TIMESTAMP)",
        f"INSERT INTO users VALUES ({active}, 'a@x.org', NULL), ({deleted}, 'd@x.org', '2026-03-01')",
        f"CREATE TABLE memberships (account_id {kind}, user_id {kind})",
        f"INSERT INTO memberships VALUES ({one}, {active}), ({one}, {deleted})",
        f"CREATE TABLE events (account_id {of_events}, user_id {of_events}, name VARCHAR, occurred_at TIMESTAMP)",
        f"INSERT INTO events VALUES ({one}, {active}, 'Used', '2026-03-09'), ({one}, {deleted}, 'Used', '2026-03-08')",
        f"CREATE TABLE subscriptions (account_id {of_events}, plan VARCHAR, status VARCHAR)",
        f"INSERT INTO subscriptions VALUES ({one}, 'pro', 'active')",
    ]


def _source(kind: str, request: pytest.FixtureRequest, folder: Path, statements: list[str]) -> dict[str, Any]:
    if kind == "postgres":
        url = request.getfixturevalue("postgres_url")
        (folder / "url.txt").write_text(url)
        with psycopg.connect(url, autocommit=True) as server:
            for statement in statements:
                server.execute(statement.encode())
        return {"postgres": "file:url.txt"}
    with duckdb.connect(str(folder / "product.duckdb")) as duck:
        for statement in statements:
            duck.execute(statement)
        if kind == "parquet":
            for (name,) in duck.execute("SELECT table_name FROM duckdb_tables()").fetchall():
                duck.execute(f"COPY {name} TO '{folder / f'{name}.parquet'}' (FORMAT parquet)")
    return {"duckdb": "product.duckdb"} if kind == "duckdb" else {"folder": "."}


def _found(source: dict[str, Any], folder: Path) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    product = product_of(source, ["accounts", "users", "memberships", "events", "subscriptions"])
    with open_source(product, folder, AS_OF) as opened:
        said = list(opened.report(AS_OF).remarks())
        return said, compute(opened, product, SIGNALS, [], AS_OF)


@pytest.mark.parametrize("engine", ["parquet", "duckdb", "postgres"])
@pytest.mark.parametrize("kind", TYPES)
def test_ids_of_a_native_type_join(request: pytest.FixtureRequest, tmp_path: Path, engine: str, kind: str) -> None:
    ids, read, sql = TYPES[kind]
    statements = [ENUM] if kind == "enum" else []
    statements += _statements(ids, sql, "CHAR(12)" if kind == "text and char" else sql)
    said, found = _found(_source(engine, request, tmp_path, statements), tmp_path)
    assert said == []
    assert found.keys() == {read[0], read[1]}
    first = {"used": 2, "active": 1, "top": "a@x.org", "seats": 1, "plan": "pro"}
    assert found[read[0]] == found[read[0]] | first
    assert found[read[1]] == found[read[1]] | {"used": 0, "active": 0, "top": None, "seats": 0, "plan": None}


@pytest.mark.parametrize("engine", ["parquet", "duckdb", "postgres"])
def test_ids_of_bytes_are_refused_with_the_name_of_the_column(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str
) -> None:
    statements = _statements(WORDS, "VARCHAR", "BYTEA" if engine == "postgres" else "BLOB")
    with pytest.raises(
        SourceError, match=r'table events: column "account_id" is of the kind bytes, but account_id needs'
    ):
        _found(_source(engine, request, tmp_path, statements), tmp_path)
