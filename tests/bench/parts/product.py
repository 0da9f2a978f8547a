"""A seeded product database for benches: accounts, users, memberships and events in DuckDB.

Every value is a hash of its row number and the seed, so that the same arguments give the same rows on every machine.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from worker.settings.product import ProductSettings

AS_OF = "2026-06-30T06:00:00+00:00"
_NAMES = (
    *("Report Created", "Report Viewed", "Dashboard Shared", "Comment Added", "Export Created", "Filter Saved"),
    *("Data Imported", "Integration Connected", "Signed In", "Pricing Viewed", "Limit Reached", "Page Viewed"),
)
_USERS = 20
_EVENTS = """
CREATE TABLE events AS
WITH drawn AS (
    SELECT i, (hash(i, {seed}, 1) % {accounts})::INT AS a, (hash(i, {seed}, 2) % {users})::INT AS u,
        (hash(i, {seed}, 3) % {seconds})::BIGINT AS s, 1 + (hash(i, {seed}, 4) % {kinds})::INT AS k
    FROM range({events}) AS numbers(i)
)
SELECT 'evt_' || lpad(i::VARCHAR, 9, '0') AS event_id, 'acc_' || a AS account_id, 'usr_' || a || '_' || u AS user_id,
    {names}[k] AS name, TIMESTAMP '2025-06-30' + to_seconds(s) AS occurred_at,
    TIMESTAMP '2025-06-30' + to_seconds(s + 60) AS received_at,
    CASE WHEN hash(i, {seed}, 5) % 10 = 0 THEN '{{"amount":' || (hash(i, {seed}, 6) % 100)::VARCHAR || '}}' END AS props
FROM drawn
"""
_ACCOUNTS = """
CREATE TABLE accounts AS
SELECT 'acc_' || i AS account_id, 'Company ' || i AS name, TIMESTAMP '2025-01-01' AS created_at, false AS is_internal
FROM range({accounts}) AS numbers(i)
"""
_USERS_OF = """
CREATE TABLE users AS
SELECT 'usr_' || a || '_' || u AS user_id, 'usr_' || a || '_' || u || '@example.com' AS email, false AS is_internal
FROM range({accounts}) AS x(a), range({users}) AS y(u)
"""
_MEMBERSHIPS = """
CREATE TABLE memberships AS
SELECT 'acc_' || a AS account_id, 'usr_' || a || '_' || u AS user_id, TIMESTAMP '2025-06-01' AS added_at,
    CASE u % 7 WHEN 0 THEN 'admin' ELSE 'member' END AS role, CAST(NULL AS TIMESTAMP) AS removed_at
FROM range({accounts}) AS x(a), range({users}) AS y(u)
"""


def make_product(folder: Path, accounts: int, events: int, seed: int = 1) -> None:
    """Write ``product.duckdb`` with ``events`` in the year before `AS_OF`, spread evenly over ``accounts``."""
    values = {"accounts": accounts, "events": events, "seed": seed, "users": _USERS, "kinds": len(_NAMES)}
    with duckdb.connect(str(folder / "product.duckdb")) as database:
        for statement in (_EVENTS, _ACCOUNTS, _USERS_OF, _MEMBERSHIPS):
            database.execute(statement.format(**values, names=list(_NAMES), seconds=365 * 86_400 - 120))


def repeat_events(folder: Path, events: int) -> None:
    """Deliver the first ``events`` once more."""
    with duckdb.connect(str(folder / "product.duckdb")) as database:
        database.execute(f"INSERT INTO events SELECT * FROM events ORDER BY event_id LIMIT {int(events)}")


def make_key(folder: Path) -> None:
    """Let the database keep the events' ids unique."""
    with duckdb.connect(str(folder / "product.duckdb")) as database:
        database.execute("ALTER TABLE events ADD PRIMARY KEY (event_id)")


def drop_key(folder: Path) -> None:
    """Let the events' ids be what they are again."""
    with duckdb.connect(str(folder / "product.duckdb")) as database:
        database.execute("CREATE TABLE others AS SELECT * FROM events")
        database.execute("DROP TABLE events")
        database.execute("ALTER TABLE others RENAME TO events")


def product_settings(*, with_event_id: bool) -> ProductSettings:
    """The mapping of that database; without its ids, events are not looked at for repeats."""
    without: dict[str, dict[str, str]] = {"events": {"query": "SELECT * EXCLUDE (event_id) FROM events"}}
    tables = {name: {"table": name} for name in ("accounts", "users", "memberships", "events")}
    return ProductSettings.model_validate(
        {
            "version": 1,
            "source": {"duckdb": "product.duckdb"},
            "exclude": {"accounts": []},
            "tables": tables if with_event_id else tables | without,
        }
    )
