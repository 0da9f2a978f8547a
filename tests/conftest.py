"""Fixtures for every test: real databases from wheels, on free ports, as any user."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from worker.store.engine import open_store

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture
def shared() -> Path:
    """The folder of recorded answers and data beside the repository; the test is skipped without it."""
    if not SHARED.is_dir():
        pytest.skip("the shared folder is not beside this checkout")
    return SHARED


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Engine]:
    """A fresh state database in a SQLite file."""
    engine = open_store(f"sqlite:///{tmp_path / 'state.db'}")
    yield engine
    engine.dispose()
