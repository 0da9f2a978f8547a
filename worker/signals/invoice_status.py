"""The words that billing systems have for the status of an invoice, and what they say where no payment is known."""

from __future__ import annotations

import sqlalchemy as sa

from worker.signals.constructs import Column
from worker.signals.mapped_table import MappedTable

SETTLED = (
    *("paid", "void", "voided", "uncollectible", "refunded", "draft", "cancelled", "canceled", "deleted", "closed"),
    *(
        "written_off",
        "writeoff",
        "write_off",
        "forgiven",
        "credited",
        "collected",
        "succeeded",
        "complete",
        "completed",
    ),
    *("pending", "scheduled", "abandoned"),
)
"""Nothing is due: paid, given up, or not yet sent."""
_DUE = (
    *("open", "due", "unpaid", "not_paid", "payment_due", "past_due", "overdue", "outstanding", "posted", "issued"),
    *("sent", "authorised", "authorized", "submitted", "finalized", "finalised", "partially_paid", "partial", "failed"),
    *("processing", "invoiced", "late", "billed"),
)


def _word(invoices: MappedTable) -> Column:
    return sa.func.coalesce(invoices.word("status"), "")


def is_settled(invoices: MappedTable) -> Column:
    """Whether the status says that nothing is due. Never NULL; the table has a status."""
    return _word(invoices).in_(SETTLED)


def not_understood(invoices: MappedTable) -> Column:
    """Whether the status is a word that is neither for a settled invoice nor for one that is due. Never NULL."""
    return _word(invoices).not_in(("", *SETTLED, *_DUE))
