"""How cells of one column can be damaged, and how they can be spelled without any damage."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.integration.signals.damage_kit import ACCOUNTS, Damage

UNREADABLE_TIMES = ["03/11/2025", "31.12.2025", "yesterday", "2026-02-30", "infinity", "12", "0"]
DEVICE_CLOCKS = [
    *("1970-01-01T00:00:00Z", "1899-12-30", "802000000", "639086000000000000"),
    datetime(1970, 1, 1, tzinfo=UTC),
]
AHEAD = [*DEVICE_CLOCKS, "2099-12-31 00:00:00", "4070908800000", datetime(2099, 1, 1, tzinfo=UTC)]
SAME_TIMES: list[Callable[[datetime], str]] = [
    lambda time: str(int(time.timestamp())),
    lambda time: str(int(time.timestamp()) * 1000),
    lambda time: time.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ"),
    lambda time: (time + timedelta(hours=5, minutes=30)).strftime("%Y-%m-%d %H:%M:%S+05:30"),
    lambda time: f"\u00a0{time.isoformat()} ",
]
UNREADABLE_NUMBERS = ["1,5", "$7", "12 seats", "0x10", "1e999", "+4", "007", "1 000", "inf", "unknown"]
NOT_FINITE = [math.nan, math.inf, -math.inf]
SAME_NUMBERS: list[Callable[[Any], str]] = [lambda number: f" {number}.0 ", lambda number: f"{number}e0"]
NOTHING = [
    *("", " ", "NULL", "\\N", "None", "nan", "undefined"),
    *("[object Object]", "(not set)", "-", "0000-00-00 00:00:00", "\u00a0", "k. A."),
]
SAME_TEXTS: list[Callable[[str], str]] = [
    lambda text: f" {decomposed(text)}",
    lambda text: f"\u00a0{decomposed(text)}\u200b",
    lambda text: f"{decomposed(text)}\ufeff\t",
]
TIMES = [
    ("accounts", "created_at"),
    ("events", "occurred_at"),
    ("events", "received_at"),
    ("memberships", "added_at"),
    ("memberships", "removed_at"),
    ("subscriptions", "term_start"),
    ("subscriptions", "term_end"),
    ("surveys", "responded_at"),
    ("tickets", "opened_at"),
    ("tickets", "closed_at"),
    ("invoices", "due_at"),
    ("invoices", "paid_at"),
    ("invites", "sent_at"),
    ("invites", "accepted_at"),
]
MAY_LIE_AHEAD = {
    ("subscriptions", "term_start"),
    ("subscriptions", "term_end"),
    ("invoices", "due_at"),
    ("memberships", "removed_at"),
}
NUMBERS = [
    ("accounts", "employees"),
    ("subscriptions", "seats"),
    ("subscriptions", "mrr"),
    ("subscriptions", "tier_rank"),
    ("surveys", "score"),
    ("invoices", "amount"),
]
NEVER_NEGATIVE = [("accounts", "employees"), ("subscriptions", "seats"), ("subscriptions", "mrr")]
REQUIRED = [
    ("events", "occurred_at"),
    ("events", "name"),
    ("memberships", "user_id"),
    ("surveys", "responded_at"),
    ("tickets", "opened_at"),
    ("invoices", "due_at"),
    ("invites", "sent_at"),
]
EMPTY = [
    ("accounts", "deleted_at"),
    ("users", "deleted_at"),
    ("users", "is_internal"),
    ("memberships", "removed_at"),
    ("subscriptions", "cancelled_at"),
    ("subscriptions", "ended_at"),
    ("tickets", "closed_at"),
    ("invoices", "paid_at"),
    ("invoices", "status"),
]
TEXTS = [
    *((table, "account_id") for table in ("accounts", "events", "memberships", "subscriptions", "surveys", "tickets")),
    *((table, "user_id") for table in ("events", "memberships", "users")),
    ("accounts", "name"),
    ("accounts", "domain"),
    ("events", "name"),
    ("memberships", "role"),
    ("subscriptions", "plan"),
    ("subscriptions", "status"),
    ("subscriptions", "currency"),
    ("surveys", "kind"),
    ("tickets", "severity"),
]

PROPS = [("events", "props")]
BROKEN_JSON = ["{", "amount=3", "['amount']", '{"amount": 3']
SAME_JSON: list[Callable[[Any], str]] = [
    lambda props: json.dumps(props, indent=1),
    lambda props: f" {json.dumps(props)}\n",
]


def decomposed(text: str) -> str:
    """Letters and their accents one by one."""
    return unicodedata.normalize("NFD", text)


Columns = Sequence[tuple[str, str]]


def damages(
    counted: str | None, columns: Columns, spellings: Sequence[Any], *, empty: bool = False, number: int = 2
) -> st.SearchStrategy[list[Damage]]:
    """Damages of so many different columns, or of all. A spelling is a cell, or makes one of the clean cell."""
    one = st.builds(
        lambda place, spelling, accounts, share: Damage(
            table=place[0],
            column=place[1],
            spell=spelling if callable(spelling) else lambda _: spelling,
            accounts=frozenset(accounts),
            counted=counted,
            share=share,
            empty=empty,
        ),
        st.sampled_from(columns),
        st.sampled_from(spellings),
        st.sets(st.sampled_from(ACCOUNTS), min_size=2, max_size=max(2, 20 // number)),
        st.floats(0.1, 1),
    )
    number = min(number, len(columns))
    return st.lists(one, min_size=number, max_size=number, unique_by=lambda damage: (damage.table, damage.column))


def together(*kinds: st.SearchStrategy[list[Damage]]) -> st.SearchStrategy[list[Damage]]:
    """Damages of several kinds, one of each column."""
    return st.tuples(*kinds).map(
        lambda found: list({(one.table, one.column): one for some in found for one in some}.values())
    )
