"""Small products in every kind of database, from rows written in Python."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
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
_SQL = {
    "duckdb": {"text": "VARCHAR", "number": "DOUBLE", "time": "TIMESTAMP", "flag": "BOOLEAN", "json": "VARCHAR"},
    "sqlite": {"text": "TEXT", "number": "REAL", "time": "TEXT", "flag": "INTEGER", "json": "TEXT"},
    "postgres": {"text": "TEXT", "number": "NUMERIC", "time": "TIMESTAMPTZ", "flag": "BOOLEAN", "json": "JSONB"},
}


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def product_of(source: Mapping[str, str], tables: Iterable[str], **more: Any) -> ProductSettings:
    """Settings that map every table under its own name."""
    mapped = {name: {"table": name} for name in tables}
    mapped |= more.pop("mapping", {})
    return ProductSettings.model_validate({"version": 1, "source": source, "tables": mapped, **more})


def signals_of(text: str) -> SignalsSettings:
    """Signals settings from YAML."""
    return SignalsSettings.model_validate({"version": 1, **yaml.safe_load(text)})


class Database:
    """One database a test can fill again and again."""

    def __init__(self, kind: str, folder: Path, url: str = "") -> None:
        self.kind, self.folder, self.url = kind, folder, url
        self.source = {
            "duckdb": {"duckdb": "product.duckdb"},
            "sqlite": {"sqlite": "product.sqlite"},
            "postgres": {"postgres": "file:url.txt"},
        }[kind]
        if kind == "postgres":
            (folder / "url.txt").write_text(url)

    def fill(self, tables: Tables, types: Mapping[str, Mapping[str, str]] = TYPES) -> None:
        """Replace what is there; ``types`` are those of the columns."""
        if self.kind == "duckdb":
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
            if values and self.kind == "duckdb":  # columns as lists: a hundred times as fast as row by row
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
        if self.kind == "duckdb":
            return naive
        # SQLite has no time type: every spelling in use must mean the same.
        text = naive.isoformat(" ")
        return (text, text.replace(" ", "T"), f"{text}Z", f"{text.replace(' ', 'T')}+00:00")[index % 4]
