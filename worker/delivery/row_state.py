"""The states of an outbox row: the one the database stores, and the one an operator reads.

Nothing here needs the database, so that a command line option can list the states.
"""

from __future__ import annotations

from enum import StrEnum


class StoredState(StrEnum):
    """The column ``state`` of the outbox."""

    PENDING = "pending"
    LEASED = "leased"
    DONE = "done"
    PARKED = "parked"
    DEAD = "dead"
    DROPPED = "dropped"


TO_SEND = (StoredState.PENDING, StoredState.LEASED)
"""A worker sends these, or is sending them."""
AT_REST = (StoredState.PENDING, StoredState.PARKED, StoredState.DEAD)
"""Neither sent to the end nor being sent."""
UNSETTLED = (*TO_SEND, StoredState.PARKED, StoredState.DEAD)


class RowState(StrEnum):
    """What an unsettled row waits for; an operator filters by it."""

    WAITING = "waiting"
    QUOTA = "quota"
    DENIED = "denied"
    UNMATCHED = "unmatched"
    NO_OWNER = "no_owner"
    SENDING = "sending"
    PARKED = "parked"
    DEAD = "dead"

    @property
    def label(self) -> str:
        """The state in words."""
        return _LABELS.get(self, str(self))


_LABELS = {
    RowState.QUOTA: "waiting for quota",
    RowState.DENIED: "waiting: the CRM denies access",
    RowState.UNMATCHED: "waiting for a record",
    RowState.NO_OWNER: "held: nobody is its owner",
    RowState.SENDING: "being sent",
    RowState.PARKED: "parked: the CRM rejected it",
    RowState.DEAD: "dead: given up",
}
RETRIED = (RowState.PARKED, RowState.DEAD, RowState.NO_OWNER)
DROPPED = tuple(state for state in RowState if state is not RowState.SENDING)
