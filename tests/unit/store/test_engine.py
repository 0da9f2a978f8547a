"""Opening the state database: readers wait for no writer, and a wrong address is named without its value."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError

from worker.store.engine import StoreError, open_store, read_store
from worker.store.tables import runs


def test_a_reader_waits_for_no_writer(store: Engine) -> None:
    url = store.url.render_as_string(hide_password=False)
    with store.begin() as writing:
        writing.execute(runs.insert().values(id="r", as_of="2026-06-30", config_version="c", committed_at=1.0))
        reader = read_store(url)
        with reader.begin() as reading:
            assert reading.execute(select(runs.c.id)).all() == [], "what is not committed is not read"
        reader.dispose()


def test_a_reader_needs_no_right_to_write(sqlite_store: Engine) -> None:
    file = Path(str(sqlite_store.url.database))
    sqlite_store.dispose()
    url = f"sqlite:///file:{file}?mode=ro&uri=true"
    reader = read_store(url)
    with reader.begin() as reading:
        assert reading.execute(select(runs.c.id)).all() == []
    with pytest.raises(OperationalError, match="readonly"), reader.begin() as writing:
        writing.execute(runs.delete())
    reader.dispose()


def test_a_reader_makes_the_tables_of_a_new_database(tmp_path: Path) -> None:
    reader = read_store(f"sqlite:///{tmp_path / 'new.db'}")
    with reader.begin() as reading:
        assert reading.execute(select(runs.c.id)).all() == []
    reader.dispose()


@pytest.mark.parametrize("url", ["postgres//secret", "postgresql://u:secret@host:port/x", "mysql://u:secret@host/x"])
def test_a_wrong_address_is_named_without_its_value(url: str) -> None:
    with pytest.raises(StoreError, match="PLGSYNC_DATABASE_URL") as wrong:
        open_store(url)
    assert "secret" not in str(wrong.value)
