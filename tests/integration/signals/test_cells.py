"""The same cells, written as text, mean the same in every kind of source."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from tests.integration.signals.signals_kit import SPREAD, at, product_of, signals_of
from worker.language.values import Value
from worker.signals.compute import compute
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")
NOON = at("2026-01-02T12:00")
TIMES: dict[str, datetime | None] = {
    "2026-01-02T12:00:00Z": NOON,
    "2026-01-02 12:00": NOON,
    "20260102T120000Z": NOON,
    "2026-01-02 13:00:00+01": NOON,
    "2026-01-02T17:30:00.000000000+0530": NOON,
    "2026-01-02 12:00:00 UTC": NOON,
    " 2026-01-02 12:00:00 ": NOON,
    "1767355200": NOON,
    "1767355200000": NOON,
    "1767355200000000": NOON,
    "20260102": at("2026-01-02"),
    "2026-01-02": at("2026-01-02"),
    "2024-02-29": at("2024-02-29"),
    "2025-02-29": None,
    "2026-04-31": None,
    "2026-01-02T24:00:00": None,
    "03/11/2025": None,
    "1970-01-01": None,
    "2999-01-01": None,
    "0000-00-00 00:00:00": None,
    "infinity": None,
    "yesterday": None,
    "639086000000000000": None,
    "802000000": None,
    "12": None,
    "NULL": None,
}
NUMBERS: dict[str, float | None] = {
    "7": 7,
    " 7 ": 7,
    "7.5": 7.5,
    "1e3": 1000,
    "0": 0,
    "007": None,
    "+4": None,
    ".5": None,
    "1,5": None,
    "1.000,5": None,
    "$7": None,
    "0x10": None,
    "1e999": None,
    "NaN": None,
    "-inf": None,
    "-3": None,
    "true": None,
    "#DIV/0!": None,
    "-": None,
}
TEXTS: dict[str, str | None] = {
    "00417": "00417",
    "1e5": "1e5",
    "32E0134": "32E0134",
    "12345678901234567890": "12345678901234567890",
    "7.0": "7.0",
    "\u00a0 Acme\u200b": "Acme",
    "Cafe\u0301": "Caf\u00e9",
    "null": None,
    "#REF!": None,
    " #Value! ": None,
    "#1": "#1",
    "\\N": None,
    "None": None,
    "[object Object]": None,
    "(not set)": None,
    "(null)": None,
    "<NA>": None,
    "N/A": None,
    "nil": None,
    "00000000-0000-0000-0000-000000000000": None,
    "-": None,
    "\u00a0": None,
    "None such": "None such",
}
ENGINES = ("csv", "parquet", "duckdb", "sqlite", "postgres", "several")


def write(
    kind: str, request: pytest.FixtureRequest, folder: Path, tables: Mapping[str, Sequence[dict[str, str]]]
) -> dict[str, Any]:
    """The tables with text in every column, and the ``source:`` to read them from."""
    if kind == "several":
        return {
            part: write(part, request, folder, {name: rows for name, rows in tables.items() if SPREAD[name] == part})
            for part in ("sqlite", "postgres", "csv")
        }
    if kind == "csv":
        for name, rows in tables.items():
            with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        return {"folder": "."}
    if kind == "sqlite":
        with closing(sqlite3.connect(folder / "product.sqlite")) as lite, lite:
            for name, rows in tables.items():
                lite.execute(f"CREATE TABLE {name} ({', '.join(rows[0])})")
                marks = ", ".join("?" for _ in rows[0])
                lite.executemany(f"INSERT INTO {name} VALUES ({marks})", [tuple(row.values()) for row in rows])
        return {"sqlite": "product.sqlite"}
    if kind == "postgres":
        url = request.getfixturevalue("postgres_url")
        (folder / "url.txt").write_text(url)
        with psycopg.connect(url, autocommit=True) as server:
            for name, rows in tables.items():
                server.execute(f"DROP TABLE IF EXISTS {name}")
                server.execute(f"CREATE TABLE {name} ({', '.join(f'{column} TEXT' for column in rows[0])})")
                marks = ", ".join("%s" for _ in rows[0])
                server.cursor().executemany(f"INSERT INTO {name} VALUES ({marks})", [[*row.values()] for row in rows])
        return {"postgres": "file:url.txt"}
    with duckdb.connect(str(folder / "product.duckdb")) as duck:
        for name, rows in tables.items():
            duck.execute(f"CREATE TABLE {name} ({', '.join(f'{column} VARCHAR' for column in rows[0])})")
            marks = ", ".join("?" for _ in rows[0])
            duck.executemany(f"INSERT INTO {name} VALUES ({marks})", [[*row.values()] for row in rows])
            if kind == "parquet":
                duck.execute(f"COPY {name} TO '{folder / f'{name}.parquet'}' (FORMAT parquet)")
    return {"duckdb": "product.duckdb"} if kind == "duckdb" else {"folder": "."}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("column", "cells"),
    [("created_at", TIMES), ("employees", NUMBERS), ("name", TEXTS)],
    ids=["time", "number", "text"],
)
def test_a_cell_of_text_is_read_alike_in_every_source(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str, column: str, cells: dict[str, Value]
) -> None:
    accounts = [{"account_id": f"a{place}", column: cell} for place, cell in enumerate(cells)]
    event = {"account_id": "a0", "name": "Used", "occurred_at": "2026-03-09"}
    product = product_of(
        write(engine, request, tmp_path, {"accounts": accounts, "events": [event]}), ["accounts", "events"]
    )
    with open_source(product, tmp_path, AS_OF) as source:
        found = compute(source, product, signals_of("signals: {}"), [], AS_OF)
    read = {cell: found[f"a{place}"][f"account.{column}"] for place, cell in enumerate(cells)}
    assert read == cells


@pytest.mark.parametrize("engine", ENGINES)
def test_ids_that_look_like_numbers_stay_apart_and_join_without_blanks(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str
) -> None:
    ids = ["7", "007", "7.0", "1e5", "100000", "12345678901234567890", "12345678901234567891"]
    accounts = [{"account_id": f"\u00a0{one} "} for one in ids]
    events = [{"account_id": f"{one}\u200b", "name": "Used", "occurred_at": "2026-03-09"} for one in ids]
    product = product_of(
        write(engine, request, tmp_path, {"accounts": accounts, "events": events}), ["accounts", "events"]
    )
    with open_source(product, tmp_path, AS_OF) as source:
        found = compute(
            source, product, signals_of("signals: {n: {label: x, from: events, measure: count}}"), [], AS_OF
        )
    assert {account: values["n"] for account, values in found.items()} == dict.fromkeys(ids, 1)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_end_in_the_year_9999_is_none_and_a_start_there_is_not_believed(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str
) -> None:
    never = "9999-12-31 23:59:59"
    term = {"account_id": "a", "plan": "pro", "status": "active", "term_start": "2026-01-01", "term_end": never}
    tables = {
        "accounts": [{"account_id": "a", "created_at": never, "deleted_at": never, "tier": " NULL "}],
        "events": [{"account_id": "a", "name": "Used", "occurred_at": "2026-03-09"}],
        "subscriptions": [{**term, "ended_at": never}],
        "memberships": [{"account_id": "a", "user_id": "u", "added_at": "2026-01-01", "removed_at": never}],
    }
    extra = {"accounts": {"table": "accounts", "extra": {"tier": "tier"}}}
    product = product_of(write(engine, request, tmp_path, tables), tables, mapping=extra)
    yaml = """
        signals:
          plan: {label: x, unit: text, from: subscriptions, measure: top, column: plan}
          state: {label: x, unit: text, from: subscriptions, measure: top, column: state}
          days: {label: x, from: subscriptions, measure: top, column: term_end, as: days_until}
          seats: {label: x, from: memberships, measure: users}
        """
    with open_source(product, tmp_path, AS_OF) as source:
        said = list(source.report(AS_OF).remarks())
        found = compute(source, product, signals_of(yaml), [], AS_OF)["a"]
    assert found == found | {"plan": "pro", "state": "active", "days": None, "seats": 1}
    assert (found["account.created_at"], found["account.deleted_at"], found["account.tier"]) == (None, None, None)
    assert said == [("accounts", "1 of 1 row (100 %) have a created_at that is not believed")]
