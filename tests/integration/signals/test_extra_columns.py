"""Columns of theirs that hold lists, structs or bytes: JSON in one spelling, and bytes are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from tests.integration.signals.signals_kit import at, signals_of
from worker.settings.product import ProductSettings
from worker.signals.compute import compute
from worker.signals.errors import SourceError
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")
EVENTS = ("CREATE TABLE events (account_id VARCHAR, name VARCHAR, occurred_at TIMESTAMP)",)
ACCOUNTS = {
    "duckdb": """CREATE TABLE accounts AS SELECT 'a' AS account_id, ['é', 'b'] AS tags, {'z': 1, 'in': {'y': [true]}} AS
        plan, '{"b":1, "a": "x"}'::JSON AS doc, '\\xFF'::BLOB AS logo""",
    "postgres": """CREATE TABLE accounts AS SELECT 'a' AS account_id, ARRAY['é', 'b'] AS tags,
        '{"z": 1, "in": {"y": [true]}}'::jsonb AS plan, '{"b":1, "a": "x"}'::jsonb AS doc, '\\xff'::bytea AS logo""",
}
NESTED = {"tags": '["é", "b"]', "plan": '{"in": {"y": [true]}, "z": 1}', "doc": '{"a": "x", "b": 1}'}


@pytest.fixture(params=["parquet", "duckdb", "postgres", "several"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The accounts with columns of every kind."""
    if request.param in {"postgres", "several"}:
        url = request.getfixturevalue("postgres_url")
        (tmp_path / "url.txt").write_text(url)
        with psycopg.connect(url, autocommit=True) as server:
            for statement in (ACCOUNTS["postgres"], *EVENTS):
                server.execute(statement.encode())
        one = {"postgres": "file:url.txt"}
        return one if request.param == "postgres" else {"app": one}
    with duckdb.connect(str(tmp_path / "product.duckdb")) as duck:
        for statement in (ACCOUNTS["duckdb"], *EVENTS):
            duck.execute(statement)
        if request.param == "parquet":
            for name in ("accounts", "events"):
                duck.execute(f"COPY {name} TO '{tmp_path / f'{name}.parquet'}' (FORMAT parquet)")
    return {"duckdb": "product.duckdb"} if request.param == "duckdb" else {"folder": "."}


def _account(source: dict[str, Any], folder: Path, *extra: str) -> dict[str, Any]:
    mapping: dict[str, dict[str, Any]] = {
        "accounts": {"table": "accounts", "extra": {name: name for name in extra}},
        "events": {"table": "events"},
    }
    where: dict[str, Any] = {"source": source}
    if "app" in source:
        where = {"sources": source}
        mapping = {name: {**one, "source": "app"} for name, one in mapping.items()}
    product = ProductSettings.model_validate({"version": 1, **where, "tables": mapping})
    with open_source(product, folder, AS_OF) as opened:
        opened.report(AS_OF)
        return compute(opened, product, signals_of("signals: {}"), [], AS_OF)["a"]


def test_lists_and_structs_are_json_in_one_spelling(source: dict[str, Any], tmp_path: Path) -> None:
    found = _account(source, tmp_path, *NESTED)
    assert {name: found[f"account.{name}"] for name in NESTED} == NESTED


def test_bytes_are_refused_with_the_name_of_the_column(source: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(SourceError, match='table accounts: column "logo" holds bytes: map a query that converts it'):
        _account(source, tmp_path, "logo")
