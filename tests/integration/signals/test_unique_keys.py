"""A key that the database itself keeps unique is believed: no row is compared with another, and each counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.signals.signals_kit import Database, at, product_of, signals_of
from worker.settings.product import ProductSettings
from worker.signals.compute import compute
from worker.signals.source import open_source

NOON = at("2026-06-15T12:00")
COLUMNS = "account_id TEXT, name TEXT, occurred_at TIMESTAMP"
ROWS = """INSERT INTO events (event_id, account_id, name, occurred_at) VALUES
    ('7', 'a1', 'Signed In', '2026-06-01 08:00:00'), (' 7', 'a1', 'Signed In', '2026-06-01 08:00:00')"""
SIGNED_IN = signals_of(
    "signals: {signed_in: {label: Signed in, from: events, events: [Signed In], measure: count, window: 28d}}"
)
EVERYWHERE = {
    f"CREATE TABLE events (event_id TEXT PRIMARY KEY, {COLUMNS})": True,
    f"CREATE TABLE events (event_id TEXT UNIQUE, {COLUMNS})": True,
    f"CREATE TABLE events ({COLUMNS}, event_id TEXT, UNIQUE (event_id, name))": False,
    f"CREATE TABLE events ({COLUMNS}, event_id TEXT, UNIQUE (account_id, name, event_id))": False,
    f"CREATE TABLE events (event_id TEXT, {COLUMNS})": False,
}
PLAIN = f"CREATE TABLE events (event_id TEXT, {COLUMNS})"
OF_POSTGRES = {
    f"CREATE TABLE events (event_id TEXT, {COLUMNS}, PRIMARY KEY (event_id)) PARTITION BY HASH (event_id);"
    "CREATE TABLE events_0 PARTITION OF events FOR VALUES WITH (MODULUS 1, REMAINDER 0)": True,
    f"{PLAIN}; CREATE UNIQUE INDEX ON events (event_id) INCLUDE (name)": True,
    f"{PLAIN}; CREATE UNIQUE INDEX ON events (event_id) WHERE name = 'Signed Out'": False,
    f"{PLAIN}; CREATE UNIQUE INDEX ON events (lower(event_id))": False,
    f"CREATE TABLE events (event_id TEXT PRIMARY KEY, {COLUMNS}); CREATE TABLE old () INHERITS (events)": False,
}
OF_SQLITE = {
    f"CREATE TABLE events (event_id TEXT, {COLUMNS}, PRIMARY KEY (event_id)) WITHOUT ROWID": True,
    f"CREATE TABLE events (event_id VARCHAR(36) PRIMARY KEY, {COLUMNS})": True,
    f"CREATE TABLE events (event_id BLOB PRIMARY KEY, {COLUMNS})": False,
    f"CREATE TABLE events (event_id PRIMARY KEY, {COLUMNS})": False,
    f"{PLAIN}; CREATE UNIQUE INDEX ids ON events (event_id) WHERE name = 'Signed Out'": False,
    f"{PLAIN}; CREATE UNIQUE INDEX ids ON events (lower(event_id))": False,
}


def product_with(database: Database, **events: str) -> ProductSettings:
    """One account, and the events: by default the table of that name."""
    accounts = {"query": "SELECT 'a1' AS account_id"}
    mapping = {"accounts": accounts, "events": events or {"table": "events"}}
    return product_of(database.source, [], mapping=mapping)


def signed_in(database: Database, **events: str) -> object:
    """How many times a1 signed in, and what the look found repeated."""
    product = product_with(database, **events)
    with open_source(product, database.folder) as source:
        found = source.report(NOON).table("events")
        return compute(source, product, SIGNED_IN, [], NOON)["a1"]["signed_in"], found and found.repeats


def create(database: Database, statements: str) -> None:
    """A new table of events with two rows, whose ids differ only in a blank."""
    database.execute([])
    database.parts.get("postgres", database).execute([*statements.split(";"), ROWS])


@pytest.mark.parametrize("statements", EVERYWHERE)
def test_rows_that_the_database_keeps_apart_count_each(database: Database, statements: str) -> None:
    create(database, statements)
    assert signed_in(database) == ((2, 0) if EVERYWHERE[statements] else (1, 1))


@pytest.mark.parametrize("statements", OF_POSTGRES)
def test_an_index_of_postgres_is_believed_where_it_holds_for_every_row(
    tmp_path: Path, postgres_url: str, statements: str
) -> None:
    database = Database("postgres", tmp_path, postgres_url)
    create(database, statements)
    assert signed_in(database) == ((2, 0) if OF_POSTGRES[statements] else (1, 1))


@pytest.mark.parametrize("statements", OF_SQLITE)
def test_an_index_of_sqlite_is_believed_where_it_holds_for_every_row_as_text(tmp_path: Path, statements: str) -> None:
    database = Database("sqlite", tmp_path)
    create(database, statements)
    assert signed_in(database) == ((2, 0) if OF_SQLITE[statements] else (1, 1))


def test_a_table_that_numbers_its_rows_has_a_unique_key(tmp_path: Path) -> None:
    database = Database("sqlite", tmp_path)
    database.execute(
        [
            f"CREATE TABLE events (event_id INTEGER PRIMARY KEY, {COLUMNS})",
            "INSERT INTO events VALUES (1, 'a1', 'Signed In', '2026-06-01')",
        ]
    )
    with open_source(product_with(database), database.folder) as source:
        assert source.catalogue.events.unique


def test_what_a_query_makes_of_a_table_with_a_key_is_compared(database: Database) -> None:
    create(database, next(iter(EVERYWHERE)))
    assert signed_in(database, query="SELECT * FROM events UNION ALL SELECT * FROM events") == (1, 3)
