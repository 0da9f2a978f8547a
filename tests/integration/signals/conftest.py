"""One product in every kind of database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.signals.signals_kit import Database


@pytest.fixture(params=["duckdb", "sqlite", "postgres", "several"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """An empty database: DuckDB, SQLite and PostgreSQL in turn, then all of them and a folder."""
    url = request.getfixturevalue("postgres_url") if request.param in {"postgres", "several"} else ""
    return Database(request.param, tmp_path, url)
