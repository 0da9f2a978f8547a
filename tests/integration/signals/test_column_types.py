"""Ids and texts keep their meaning, whatever type the source gives their columns."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from tests.integration.signals.signals_kit import at, product_of, signals_of
from worker.language.values import Value
from worker.signals.compute import compute
from worker.signals.errors import SourceError
from worker.signals.source import open_source

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


def _source(kind: str, request: pytest.FixtureRequest, folder: Path, *more: str) -> dict[str, str]:
    if kind == "postgres":
        url = request.getfixturevalue("postgres_url")
        (folder / "url.txt").write_text(url)
        with psycopg.connect(url, autocommit=True) as server:
            for statement in (*TYPED, *more):
                server.execute(statement)
        return {"postgres": "file:url.txt"}
    with duckdb.connect(str(folder / "product.duckdb")) as duck:
        for statement in (*TYPED, *more):
            duck.execute(statement)
        if kind == "parquet":
            for name in ("accounts", "subscriptions", "events"):
                duck.execute(f"COPY {name} TO '{folder / f'{name}.parquet'}' (FORMAT parquet)")
    return {"duckdb": "product.duckdb"} if kind == "duckdb" else {"folder": "."}


def _measured(source: dict[str, str], folder: Path, mapping: dict[str, Any]) -> dict[str, dict[str, Value]]:
    product = product_of(source, ["accounts", "subscriptions", "events"], mapping=mapping)
    with open_source(product, folder, AS_OF) as opened:
        opened.report(AS_OF)
        return compute(opened, product, signals_of(SIGNALS), [], AS_OF)


def _signals(source: dict[str, str], folder: Path) -> dict[str, dict[str, Value]]:
    found = _measured(source, folder, {})
    return {account: {name: values[name] for name in ("n", "people", "plan")} for account, values in found.items()}


@pytest.mark.parametrize("kind", ["parquet", "duckdb", "postgres"])
def test_uuids_and_enums_are_texts(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    assert _signals(_source(kind, request, tmp_path), tmp_path) == {
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
    assert _signals({"sqlite": "product.sqlite"}, tmp_path) == {"acme": {"n": 1, "people": 1, "plan": "pro"}}


@pytest.mark.parametrize("kind", ["duckdb", "postgres"])
def test_an_end_at_infinity_is_none(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    source = _source(
        kind,
        request,
        tmp_path,
        "ALTER TABLE subscriptions ADD COLUMN term_end DATE",
        "ALTER TABLE subscriptions ADD COLUMN ended_at TIMESTAMPTZ",
        "UPDATE subscriptions SET term_end = 'infinity', ended_at = 'infinity'",
        "ALTER TABLE accounts ADD COLUMN valid_to DATE",
        "ALTER TABLE accounts ADD COLUMN valid_from TIMESTAMPTZ",
        "UPDATE accounts SET valid_to = 'infinity', valid_from = '-infinity'",
    )
    extra = {"valid_to": "valid_to", "valid_from": "valid_from"}
    found = _measured(source, tmp_path, {"accounts": {"table": "accounts", "extra": extra}})
    assert found[UUIDS[0]]["plan"] == "pro"
    assert (found[UUIDS[0]]["account.valid_to"], found[UUIDS[0]]["account.valid_from"]) == (None, None)


@pytest.mark.parametrize("kind", ["parquet", "duckdb", "postgres"])
def test_ids_that_floating_point_cannot_tell_apart_are_refused(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    source = _source(
        kind,
        request,
        tmp_path,
        "DROP TABLE accounts",
        "CREATE TABLE accounts (account_id DOUBLE PRECISION)",
        "INSERT INTO accounts VALUES (1582218195625938945), (1582218195625938946), (7)",
    )
    with pytest.raises(SourceError, match='table accounts: 2 rows of the column "account_id" have ids too large'):
        _measured(source, tmp_path, {})


def test_json_that_postgres_cannot_take_apart_is_unreadable_and_stops_nothing(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    source = _source(
        "postgres",
        request,
        tmp_path,
        "ALTER TABLE events ADD COLUMN props JSON",
        """UPDATE events SET props = '{"plan": {"tier": "gold"}}'""",
        "INSERT INTO events SELECT account_id, NULL, 'Used', '2026-03-09' FROM accounts",
        f"""UPDATE events SET props = '{{"plan": {{"tier": "\\u0000"}}}}' WHERE account_id = '{UUIDS[1]}'""",
    )
    product = product_of(source, ["accounts", "subscriptions", "events"])
    signals = signals_of("signals: {gold: {label: g, from: events, measure: count, where: {props.plan.tier: gold}}}")
    with open_source(product, tmp_path, AS_OF) as opened:
        said = list(opened.report(AS_OF).remarks())
        found = compute(opened, product, signals, [], AS_OF)
    assert [found[account]["gold"] for account in UUIDS] == [1, None]
    assert ("events", "1 of 3 rows (33 %) have a props that cannot be read") in said


@pytest.mark.parametrize("kind", ["duckdb", "folder"])
def test_times_in_nanoseconds_are_read_wherever_they_lie(kind: str, tmp_path: Path) -> None:
    """As pandas writes them; they reach up to the year 2262 and cannot be compared with the year 9999."""
    cells = "'2025-01-01'::TIMESTAMP_NS AS since, {} AS term_end"
    ends = {"a": "'2027-01-01'::TIMESTAMP_NS", "b": "'infinity'::TIMESTAMP_NS", "c": "NULL::TIMESTAMP_NS"}
    rows = " UNION ALL ".join(f"SELECT '{name}' AS account_id, {cells.format(end)}" for name, end in ends.items())
    events = "SELECT 'a' AS account_id, 'Used' AS name, '2026-03-09'::TIMESTAMP_NS AS occurred_at"
    with duckdb.connect(str(tmp_path / "product.duckdb")) as duck:
        for table, query in (("accounts", rows), ("subscriptions", rows), ("events", events)):
            duck.execute(f"CREATE TABLE {table} AS {query}")
            duck.execute(f"COPY {table} TO '{tmp_path / table}.parquet'")
    mapping = {
        "accounts": {"table": "accounts", "extra": {"since": "since", "until": "term_end"}},
        "subscriptions": {"table": "subscriptions", "columns": {"term_start": "since"}},
    }
    place = {"duckdb": "product.duckdb"} if kind == "duckdb" else {"folder": "."}
    product = product_of(place, [*mapping, "events"], mapping=mapping)
    end = "{label: end, unit: date, from: subscriptions, measure: top, column: term_end}"
    signals = signals_of(f"signals: {{end: {end}}}")
    with open_source(product, tmp_path, AS_OF) as source:
        values = compute(source, product, signals, [], AS_OF)
        assert [table.columns for table in source.report(AS_OF).tables] == [(), (), ()]
    assert {name: one["end"] for name, one in values.items()} == {"a": at("2027-01-01T00:00"), "b": None, "c": None}
    assert values["a"]["account.since"] == at("2025-01-01T00:00")
    assert values["a"]["account.until"] == at("2027-01-01T00:00")
