"""An account id that belongs to somebody else now: a person says whether what is stored goes on or is forgotten."""

from __future__ import annotations

from sqlalchemy import Connection, delete, or_, update

from worker.delivery.row_state import AT_REST, StoredState
from worker.rules.enrollment import Enrollment
from worker.store.crm import OPEN_STATUSES
from worker.store.sightings import confirm_identity
from worker.store.state import load_enrollments, save_enrollments
from worker.store.tables import (
    account_sightings,
    crm_records,
    crm_tasks,
    outbox,
    record_shares,
    score_memory,
    score_values,
)


def keep_account(connection: Connection, account_id: str) -> None:
    """The account is the same as before: the next run goes on with it, under its present name and domain."""
    confirm_identity(connection, account_id)


def renew_account(connection: Connection, account_id: str) -> None:
    """The account is another one: forget scores, enrollments and CRM record of the old one, and what waits to be sent.

    Its records and tasks in the CRMs stay as they are. The entries of an enrollment go on counting, because they are
    part of the keys of tasks.
    """
    for table in (account_sightings, crm_records, record_shares, score_memory, score_values):
        connection.execute(delete(table).where(table.c.account_id == account_id))
    for playbook_id, accounts in load_enrollments(connection).items():
        if before := accounts.get(account_id):
            fresh = Enrollment(live=before.live, entry=before.entry)
            save_enrollments(connection, playbook_id, {account_id: fresh})
    of_old = (crm_tasks.c.account_id == account_id) & crm_tasks.c.status.in_(OPEN_STATUSES)
    connection.execute(update(crm_tasks).where(of_old).values(status="deleted"))
    unsent = outbox.c.state.in_(AT_REST) & outbox.c.attempted.is_(None)
    created = (outbox.c.kind == "record_create") & (outbox.c.state == StoredState.DONE)
    connection.execute(delete(outbox).where(outbox.c.account_id == account_id, or_(unsent, created)))
