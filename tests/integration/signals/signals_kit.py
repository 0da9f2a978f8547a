"""Small products in every kind of database, from rows written in Python."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import yaml

from worker.settings.product import ProductSettings
from worker.settings.signals import SignalsSettings

Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]

TYPES: dict[str, dict[str, str]] = {
    "accounts": {
        "account_id": "text",
        "name": "text",
        "domain": "text",
        "parent_id": "text",
        "created_at": "time",
        "deleted_at": "time",
        "is_internal": "flag",
        "employees": "number",
        "channel": "text",
    },
    "events": {
        "account_id": "text",
        "user_id": "text",
        "name": "text",
        "occurred_at": "time",
        "received_at": "time",
        "props": "json",
    },
    "users": {"user_id": "text", "email": "text", "deleted_at": "time", "is_internal": "flag", "opted_out": "flag"},
    "memberships": {"account_id": "text", "user_id": "text", "role": "text", "added_at": "time", "removed_at": "time"},
    "subscriptions": {
        "account_id": "text",
        "product": "text",
        "currency": "text",
        "plan": "text",
        "tier_rank": "number",
        "seats": "number",
        "mrr": "number",
        "status": "text",
        "trial_start": "time",
        "trial_end": "time",
        "term_start": "time",
        "term_end": "time",
        "cancelled_at": "time",
        "ended_at": "time",
    },
    "surveys": {"account_id": "text", "kind": "text", "score": "number", "responded_at": "time"},
    "tickets": {"account_id": "text", "severity": "text", "opened_at": "time", "closed_at": "time"},
    "invoices": {
        "account_id": "text",
        "due_at": "time",
        "paid_at": "time",
        "amount": "number",
        "currency": "text",
        "status": "text",
    },
    "invites": {"account_id": "text", "sent_at": "time", "accepted_at": "time"},
}
_DUCKDB = {"text": "VARCHAR", "number": "DOUBLE", "time": "TIMESTAMP", "flag": "BOOLEAN", "json": "VARCHAR"}
_SQL = {
    "duckdb": _DUCKDB,
    "parquet": _DUCKDB,
    "sqlite": {"text": "TEXT", "number": "REAL", "time": "TEXT", "flag": "INTEGER", "json": "TEXT"},
    "postgres": {"text": "TEXT", "number": "NUMERIC", "time": "TIMESTAMPTZ", "flag": "BOOLEAN", "json": "JSONB"},
}


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


SPREAD = {
    "accounts": "sqlite",
    "events": "postgres",
    "users": "duckdb",
    "memberships": "csv",
    "subscriptions": "postgres",
    "surveys": "sqlite",
    "tickets": "csv",
    "invoices": "duckdb",
    "invites": "csv",
    "usage_limits": "sqlite",
}
"""Where each table is when there are several sources."""


def product_of(source: Mapping[str, Any], tables: Iterable[str], **more: Any) -> ProductSettings:
    """Settings that map every table under its own name."""
    mapped = {name: {"table": name} for name in tables}
    mapped |= more.pop("mapping", {})
    return ProductSettings.model_validate({"version": 1, **sources_of(source, mapped), **more})


def sources_of(source: Mapping[str, Any], mapped: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The source or sources of a product and its tables, as in config/product.yaml."""
    if "csv" not in source:
        return {"source": source, "tables": mapped}
    return {"sources": source, "tables": {name: {"source": _place(name, one), **one} for name, one in mapped.items()}}


def _place(name: str, mapping: Mapping[str, Any]) -> str:
    """The source with the table that a mapping reads."""
    words = re.findall(r"\w+", str(mapping.get("table") or mapping.get("query")))
    return next((SPREAD[word] for word in words if word in SPREAD), SPREAD[name])


def in_order(since: str, until: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Puts two times of a row in order: one that is over before it starts contradicts itself."""

    def ordered(row: dict[str, Any]) -> dict[str, Any]:
        first, last = row[since], row[until]
        return {**row, since: last, until: first} if first and last and last < first else row

    return ordered


def signals_of(text: str) -> SignalsSettings:
    """Signals settings from YAML."""
    return SignalsSettings.model_validate({"version": 1, **yaml.safe_load(text)})


class Database:
    """One database a test can fill again and again; ``several`` spreads the tables over one of each kind."""

    def __init__(self, kind: str, folder: Path, url: str = "") -> None:
        self.kind, self.folder, self.url = kind, folder, url
        self.parts: dict[str, Database] = {}
        if kind == "several":
            self.parts = {part: Database(part, folder, url) for part in ("duckdb", "sqlite", "postgres", "csv")}
        sources: dict[str, dict[str, Any]] = {
            "duckdb": {"duckdb": "product.duckdb"},
            "sqlite": {"sqlite": "product.sqlite"},
            "postgres": {"postgres": "file:url.txt"},
            "csv": {"folder": "files"},
            "parquet": {"folder": "files"},
            "several": {part: one.source for part, one in self.parts.items()},
        }
        self.source: dict[str, Any] = sources[kind]
        if kind == "postgres":
            (folder / "url.txt").write_text(url)

    def fill(self, tables: Tables, types: Mapping[str, Mapping[str, str]] = TYPES) -> None:
        """Replace what is there; ``types`` are those of the columns."""
        if self.kind == "several":
            for kind, part in self.parts.items():
                part.fill({name: rows for name, rows in tables.items() if SPREAD[name] == kind}, types)
        elif self.kind == "csv":
            self._write(tables, types)
        elif self.kind == "parquet":
            with duckdb.connect() as connection:
                self._load(connection, tables, types)
                self._copy(connection)
        elif self.kind == "duckdb":
            path = self.folder / "product.duckdb"
            path.unlink(missing_ok=True)
            with duckdb.connect(str(path)) as connection:
                self._load(connection, tables, types)
        elif self.kind == "sqlite":
            path = self.folder / "product.sqlite"
            path.unlink(missing_ok=True)
            with closing(sqlite3.connect(path)) as file, file:
                self._load(file, tables, types)
        else:
            with psycopg.connect(self.url, autocommit=True, options="-c timezone=Asia/Kolkata") as server:
                self._load(server.cursor(), tables, types)

    def execute(self, statements: Sequence[str]) -> None:
        """Run statements that all engines understand; with several sources, in each of them."""
        if self.kind == "several":
            for part in self.parts.values():
                part.execute(statements)
        elif self.kind == "csv":
            (self.folder / "files").mkdir(exist_ok=True)
        elif self.kind in {"duckdb", "parquet"}:
            place = ":memory:" if self.kind == "parquet" else str(self.folder / "product.duckdb")
            with duckdb.connect(place) as connection:
                for statement in statements:
                    connection.execute(statement)
                if self.kind == "parquet":
                    self._copy(connection)
        elif self.kind == "sqlite":
            with closing(sqlite3.connect(self.folder / "product.sqlite")) as file, file:
                for statement in statements:
                    file.execute(statement)
        else:
            with psycopg.connect(self.url) as server:
                for statement in statements:
                    server.execute(statement.encode())

    def _copy(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Every table into a Parquet file."""
        folder = self.folder / "files"
        folder.mkdir(exist_ok=True)
        for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            connection.execute(f"COPY \"{name}\" TO '{folder / name}.parquet'")

    def _write(self, tables: Tables, types: Mapping[str, Mapping[str, str]]) -> None:
        folder = self.folder / "files"
        folder.mkdir(exist_ok=True)
        for name, rows in tables.items():
            kinds = types[name]
            with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(kinds)
                writer.writerows(
                    [self._value(row.get(column), kind, index) for column, kind in kinds.items()]
                    for index, row in enumerate(rows)
                )

    def _load(self, connection: Any, tables: Tables, types: Mapping[str, Mapping[str, str]]) -> None:
        for name, rows in tables.items():
            kinds = types[name]
            columns = ", ".join(f'"{column}" {_SQL[self.kind][kind]}' for column, kind in kinds.items())
            connection.execute(f'DROP TABLE IF EXISTS "{name}"')
            connection.execute(f'CREATE TABLE "{name}" ({columns})')
            values = [
                [self._value(row.get(column), kind, index) for column, kind in kinds.items()]
                for index, row in enumerate(rows)
            ]
            if values and self.kind in {"duckdb", "parquet"}:  # columns as lists: a hundred times as fast as row by row
                lists = ", ".join(f"unnest(?::{_SQL[self.kind][kind]}[])" for kind in kinds.values())
                connection.execute(
                    f'INSERT INTO "{name}" SELECT {lists}', [list(cells) for cells in zip(*values, strict=True)]
                )
            elif values:
                marks = ", ".join("?" if self.kind == "sqlite" else "%s" for _ in kinds)
                connection.executemany(f'INSERT INTO "{name}" VALUES ({marks})', values)

    def _value(self, value: Any, kind: str, index: int) -> Any:
        if value is None:
            return None
        if kind == "json" and not isinstance(value, str):
            return json.dumps(value)
        if kind != "time" or self.kind == "postgres":
            return value
        naive = value.astimezone(UTC).replace(tzinfo=None)
        if self.kind in {"duckdb", "parquet"}:
            return naive
        # SQLite has no time type: every spelling in use must mean the same.
        text = naive.isoformat(" ")
        return (text, text.replace(" ", "T"), f"{text}Z", f"{text.replace(' ', 'T')}+00:00")[index % 4]
