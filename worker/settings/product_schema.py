"""The tables and columns every product is mapped onto, whatever the product calls them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ColumnKind = Literal["id", "text", "number", "time", "flag", "json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSchema:
    """One table of ours.

    ``required`` columns must exist once the table is mapped. ``at`` says when a row happened. A row is *in force*
    from ``since`` until ``until`` (first known one counts); ``needs_until`` tables cannot tell without one of these.
    ``current`` tables are counted as they stand at that moment unless a signal says otherwise.
    """

    columns: Mapping[str, ColumnKind]
    required: tuple[str, ...]
    at: str | None = None
    since: tuple[str, ...] = ()
    until: tuple[str, ...] = ()
    needs_until: bool = False
    in_order: tuple[tuple[str, str], ...] = ()
    """Each start and its end: a row that is over before it starts contradicts itself."""
    current: bool = False
    key: tuple[str, ...] = ()
    """Rows with the same values here, the first of them known, are one row that was delivered again."""
    repeatable: bool = False
    """Without a key, two rows that are the same are one that was delivered twice: they are of one moment."""
    latest: str = "updated_at"
    """Of rows with one key, the one with the latest such time counts."""
    single: tuple[str, ...] = ()
    """Texts that are one word: a cell with a list of words cannot be read."""
    ahead: tuple[str, ...] = ()
    """Times that may lie after the moment of reading: systems write an end ahead that is announced."""
    least: Mapping[str, float] = field(default_factory=dict)
    """The least a number can be."""
    unlimited: Mapping[str, float] = field(default_factory=dict)
    """Numbers that are a limit, and from which size on they are none; -1 always means that there is no limit."""


SCHEMA: Mapping[str, TableSchema] = {
    "accounts": TableSchema(
        columns={
            "account_id": "id",
            "name": "text",
            "domain": "text",
            "created_at": "time",
            "deleted_at": "time",
            "tz": "text",
            "country": "text",
            "industry": "text",
            "employees": "number",
            "parent_id": "id",
            "is_internal": "flag",
            "owner_email": "text",
            "csm_email": "text",
            "updated_at": "time",
        },
        required=("account_id",),
        at="created_at",
        ahead=("deleted_at",),
        least={"employees": 0},
    ),
    "users": TableSchema(
        columns={
            "user_id": "id",
            "account_id": "id",
            "email": "text",
            "created_at": "time",
            "deleted_at": "time",
            "signup_source": "text",
            "referred_by_user_id": "id",
            "is_internal": "flag",
            "opted_out": "flag",
            "updated_at": "time",
        },
        required=("user_id",),
        at="created_at",
        since=("created_at",),
        until=("deleted_at",),
        in_order=(("created_at", "deleted_at"),),
        ahead=("deleted_at",),
    ),
    "memberships": TableSchema(
        columns={"account_id": "id", "user_id": "id", "role": "text", "added_at": "time", "removed_at": "time"},
        required=("account_id", "user_id"),
        at="added_at",
        since=("added_at",),
        until=("removed_at",),
        in_order=(("added_at", "removed_at"),),
        current=True,
        single=("role",),
        ahead=("removed_at",),
    ),
    "events": TableSchema(
        columns={
            "event_id": "id",
            "account_id": "id",
            "user_id": "id",
            "name": "text",
            "occurred_at": "time",
            "received_at": "time",
            "props": "json",
        },
        required=("account_id", "name", "occurred_at"),
        at="occurred_at",
        key=("event_id",),
        repeatable=True,
        latest="received_at",
    ),
    "subscriptions": TableSchema(
        columns={
            "sub_id": "id",
            "account_id": "id",
            "product": "text",
            "plan": "text",
            "tier_rank": "number",
            "seats": "number",
            "mrr": "number",
            "currency": "text",
            "status": "text",
            "trial_start": "time",
            "trial_end": "time",
            "term_start": "time",
            "term_end": "time",
            "cancelled_at": "time",
            "ended_at": "time",
            "cancel_reason": "text",
            "updated_at": "time",
            "state": "text",
            "paying": "flag",
            "trialing": "flag",
            "renews": "flag",
            "renews_at": "time",
            "trial_ends_at": "time",
        },
        required=("account_id",),
        at="term_start",
        since=("trial_start", "term_start"),
        until=("ended_at", "term_end"),
        in_order=(("term_start", "term_end"), ("trial_start", "trial_end")),
        current=True,
        key=("sub_id", "term_start", "trial_start"),
        ahead=("term_start", "term_end", "trial_end", "cancelled_at", "ended_at"),
        least={"seats": 0, "mrr": 0},
        unlimited={"seats": 99_999},
    ),
    "mrr_movements": TableSchema(
        columns={
            "account_id": "id",
            "sub_id": "id",
            "on_date": "time",
            "type": "text",
            "amount": "number",
            "currency": "text",
            "cause": "text",
        },
        required=("account_id", "on_date"),
        at="on_date",
    ),
    "invoices": TableSchema(
        columns={
            "invoice_id": "id",
            "account_id": "id",
            "due_at": "time",
            "paid_at": "time",
            "amount": "number",
            "currency": "text",
            "status": "text",
            "updated_at": "time",
        },
        required=("account_id", "due_at"),
        at="due_at",
        since=("due_at",),
        until=("paid_at",),
        needs_until=True,
        key=("invoice_id",),
        repeatable=True,
        ahead=("due_at",),
    ),
    "surveys": TableSchema(
        columns={
            "response_id": "id",
            "account_id": "id",
            "user_id": "id",
            "kind": "text",
            "score": "number",
            "responded_at": "time",
            "updated_at": "time",
        },
        required=("account_id", "responded_at"),
        at="responded_at",
        key=("response_id",),
        repeatable=True,
    ),
    "invites": TableSchema(
        columns={
            "invite_id": "id",
            "account_id": "id",
            "inviter_id": "id",
            "sent_at": "time",
            "accepted_at": "time",
            "invitee_user_id": "id",
            "updated_at": "time",
        },
        required=("account_id", "sent_at"),
        at="sent_at",
        key=("invite_id",),
        repeatable=True,
        since=("sent_at",),
        until=("accepted_at",),
        needs_until=True,
        in_order=(("sent_at", "accepted_at"),),
    ),
    "tickets": TableSchema(
        columns={
            "ticket_id": "id",
            "account_id": "id",
            "opened_at": "time",
            "closed_at": "time",
            "severity": "text",
            "updated_at": "time",
        },
        required=("account_id", "opened_at"),
        at="opened_at",
        key=("ticket_id",),
        repeatable=True,
        since=("opened_at",),
        until=("closed_at",),
        needs_until=True,
        in_order=(("opened_at", "closed_at"),),
    ),
    "usage_limits": TableSchema(
        columns={"account_id": "id", "metric": "text", "used": "number", "limit": "number", "updated_at": "time"},
        required=("account_id",),
        current=True,
        key=("metric", "account_id"),
        least={"used": 0, "limit": 0},
        unlimited={"limit": math.inf},
    ),
}

COMPUTED = {"subscriptions": frozenset({"state", "paying", "trialing", "renews", "renews_at", "trial_ends_at"})}
"""Columns worked out from the dates and the status of a row; they cannot be mapped."""

STATES = ("active", "past_due", "cancelled_at_term_end", "trialing", "ended")
"""Every value of the state of a subscription."""

OLD_STATES: Mapping[str, tuple[str, ...]] = {
    "cancelled": ("ended", "cancelled_at_term_end"),
    "trial": ("trialing",),
}
"""Words for the state of a subscription that 0.x used, and the words of now that each stands for."""

ENDS = frozenset({"deleted_at", "removed_at", "cancelled_at", "ended_at", "term_end", "trial_end"}) | frozenset(
    {"paid_at", "accepted_at", "closed_at"}
)
"""Times at which something is over: one of the year 9999, or an infinite one, says that it is not."""

SCORES = {"nps": (0, 10)}
"""By the kind of a survey, the least and the highest score there can be; other kinds may have any."""

AMOUNTS = {"subscriptions": "mrr", "invoices": "amount", "mrr_movements": "amount"}
"""Per table with a currency, the column that holds an amount of it."""


def mappable(table: str) -> frozenset[str]:
    """Our column names of ``table`` that ``config/product.yaml`` may map."""
    return frozenset(SCHEMA[table].columns) - COMPUTED.get(table, frozenset())


def kind_of(table: str, column: str) -> ColumnKind:
    """What ``column`` holds. ``props.anything`` of events is text or a number, read as text here."""
    return SCHEMA[table].columns.get(column, "text")
