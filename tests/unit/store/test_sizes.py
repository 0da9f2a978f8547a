"""How large the state database is: small tables to the row, large ones without counting them."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, delete, insert, text

from worker.store import sizes as module
from worker.store.sizes import sizes
from worker.store.tables import metadata, score_memory


def test_rows_are_counted_by_table_and_the_database_as_a_whole(store: Engine) -> None:
    with store.begin() as connection:
        connection.execute(insert(score_memory), [{"account_id": str(n), "memory": {}} for n in range(10)])
        connection.execute(delete(score_memory).where(score_memory.c.account_id == "5"))
        now = sizes(connection)
    assert now.rows == dict.fromkeys(metadata.tables, 0) | {"score_memory": 9}
    assert now.bytes > 50_000


def test_a_large_table_is_estimated(store: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COUNTED_UP_TO", 5)
    with store.begin() as connection:
        connection.execute(insert(score_memory), [{"account_id": str(n), "memory": {}} for n in range(10)])
        connection.execute(text("analyze"))
        connection.execute(delete(score_memory).where(score_memory.c.account_id == "5"))
        assert sizes(connection).rows["score_memory"] == 10
