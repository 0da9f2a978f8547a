"""Renews the leases of a batch in flight."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog
from sqlalchemy import Engine, update
from sqlalchemy.exc import DBAPIError

from worker.delivery.leases import Entry
from worker.delivery.row_state import StoredState
from worker.settings.environment import lease_s
from worker.store.engine import db_now
from worker.store.tables import outbox

log = structlog.get_logger()

_RENEWALS = 3
"""Renewals within one lease: a database that is down for one of them costs no lease."""


@contextmanager
def lease_renewal(engine: Engine, entries: Sequence[Entry]) -> Iterator[None]:
    """Renew the leases of a batch until the block ends. A row that another worker has leased meanwhile stays there.

    One batch may be many calls, each tried more than once: a search, a read, a write, links between records.
    """
    done = threading.Event()
    seconds = lease_s()
    renewed = update(outbox).where(
        outbox.c.id.in_([entry.id for entry in entries]),
        outbox.c.state == StoredState.LEASED,
        outbox.c.lease_token == entries[0].lease_token,
    )

    def renew() -> None:
        while not done.wait(seconds / _RENEWALS):
            try:
                with engine.begin() as connection:
                    connection.execute(renewed.values(due_at=db_now() + seconds))
            except DBAPIError as error:
                log.warning("lease not renewed", error=type(error).__name__)

    renewing = threading.Thread(target=renew, name="lease", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        done.set()
        renewing.join()
