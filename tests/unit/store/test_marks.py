"""Marks on the state: set, read by another connection, removed."""

from __future__ import annotations

from sqlalchemy import Engine

from worker.store.marks import adoption_done, adoption_required, require_adoption


def test_adoption_is_required_from_its_mark_until_it_is_done(store: Engine) -> None:
    with store.begin() as connection:
        assert not adoption_required(connection)
        adoption_done(connection)
        require_adoption(connection)
        require_adoption(connection)
    with store.begin() as connection:
        assert adoption_required(connection)
        adoption_done(connection)
        assert not adoption_required(connection)
