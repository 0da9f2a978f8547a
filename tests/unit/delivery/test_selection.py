"""An operator finds an outbox row by what it waits for, on SQLite and on PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, insert

from worker.delivery.outbox import NO_OWNER, NO_RECORD
from worker.delivery.row_state import RowState, StoredState
from worker.delivery.selection import ACCESS_DENIED, QUOTA, Selection, depth, selected_ids
from worker.store.engine import db_now
from worker.store.tables import outbox

ROWS: dict[str, tuple[StoredState, str, int]] = {
    RowState.WAITING: (StoredState.PENDING, "", 0),
    RowState.QUOTA: (StoredState.PENDING, QUOTA, 3600),
    RowState.DENIED: (StoredState.PENDING, ACCESS_DENIED, 30),
    RowState.UNMATCHED: (StoredState.PARKED, NO_RECORD, 0),
    RowState.NO_OWNER: (StoredState.PARKED, NO_OWNER, 0),
    RowState.SENDING: (StoredState.LEASED, "", 100),
    RowState.PARKED: (StoredState.PARKED, "REQUIRED_FIELD_MISSING", 0),
    RowState.DEAD: (StoredState.DEAD, "CRASHED", 0),
}


@pytest.fixture
def filled(store: Engine) -> Engine:
    with store.begin() as connection:
        for name, (state, code, due_in) in {**ROWS, "done": (StoredState.DONE, "", 0)}.items():
            row: dict[str, Any] = {
                "destination": "crm",
                "kind": "fields",
                "idem_key": f"fields:crm:{name}",
                "account_id": str(name),
            }
            row |= {"record_id": str(name), "payload": {}, "payload_hash": "", "context": {}, "run_id": "r"}
            times = {"due_at": db_now() + due_in, "created_at": db_now()}
            connection.execute(insert(outbox).values(**row, state=state, last_code=code, **times))
    return store


def test_every_state_selects_its_own_row(filled: Engine) -> None:
    with filled.begin() as connection:
        found = {state: selected_ids(connection, Selection((state,)), list(RowState)) for state in RowState}
        assert sorted(found.values()) == [[number] for number in range(1, len(RowState) + 1)]
        assert selected_ids(connection, Selection(), [RowState.DEAD]) == found[RowState.DEAD]


def test_the_depth_counts_each_state_and_leaves_out_what_is_done(filled: Engine) -> None:
    with filled.begin() as connection:
        assert {RowState(row["row_state"]): row["rows"] for row in depth(connection)} == dict.fromkeys(RowState, 1)
