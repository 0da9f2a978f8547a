"""Renews the leases of a batch in flight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, update

from worker.delivery.leases import Entry
from worker.delivery.row_state import StoredState
from worker.settings.environment import lease_s
from worker.store.engine import db_now
from worker.store.renewal import renewed
from worker.store.tables import outbox

_RENEWALS = 3
"""Renewals within one lease: a database that is down for one of them costs no lease."""


@contextmanager
def lease_renewal(engine: Engine, entries: Sequence[Entry]) -> Iterator[None]:
    """Renew the leases of a batch until the block ends. A row that another worker has leased meanwhile stays there.

    One batch may be many calls, each tried more than once: a search, a read, a write, links between records.
    """
    seconds = lease_s()
    leased = update(outbox).where(
        outbox.c.id.in_([entry.id for entry in entries]),
        outbox.c.state == StoredState.LEASED,
        outbox.c.lease_token == entries[0].lease_token,
    )

    def renew(connection: Connection) -> bool:
        return connection.execute(leased.values(due_at=db_now() + seconds)).rowcount > 0

    with renewed(engine, renew, seconds / _RENEWALS):
        yield
