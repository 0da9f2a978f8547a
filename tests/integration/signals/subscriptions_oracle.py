"""What a subscription is at a moment, row by row in plain Python: what `worker.signals.subscriptions` must answer.

Every time is aware.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from math import inf
from typing import Any

from worker.signals.subscription_words import (
    CANCELLED,
    DATES,
    DUNNING_GRACE,
    ENDED,
    KNOWN_WORDS,
    NON_RENEWING,
    NOT_STARTED,
    ORDER,
    PAST_DUE,
    PAYS,
    STOPPED,
    TRIAL,
    Status,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionState:
    """A subscription, or an account, at a moment. None is unknown, but for a plan or date that does not exist.

    ``mrr`` is what is paid per month: 0 on a trial and after the end. ``days_to_renewal`` and ``trial_days_left`` are
    started days; a subscription that does not renew has no renewal.
    """

    status: Status | None
    plan: str | None
    paying: bool | None
    mrr: float | None
    seats: float | None
    renews: bool | None
    days_to_renewal: int | None
    trial_days_left: int | None


NO_SUBSCRIPTION = SubscriptionState(
    status=None, plan=None, paying=False, mrr=0, seats=0, renews=False, days_to_renewal=None, trial_days_left=None
)


def subscription_state(
    row: Mapping[str, Any], at: datetime, grace: timedelta = DUNNING_GRACE, read_at: datetime | None = None
) -> SubscriptionState | None:
    """The state of the subscription ``row`` (our column names) at ``at``; None before it starts.

    A table that has neither a status nor dates (no such keys) lists what is in force. After ``read_at``, the moment of
    reading, a date is an announced end.
    """
    word = status_word(row.get("status"))
    since = _since(row)
    if word in NOT_STARTED or (since is not None and since > at):
        return None
    status = _status(row, word, at, grace, read_at)
    mrr = row.get("mrr")
    pays = status not in {"trialing", "ended"}
    renews = None if status is None else status in {"active", "past_due"}
    return SubscriptionState(
        status=status,
        plan=None if status == "ended" else row.get("plan"),
        paying=_paying(status, mrr),
        mrr=(mrr if status else None) if pays else 0,
        seats=0 if status == "ended" else row.get("seats"),
        renews=renews,
        days_to_renewal=_days_until(row.get("term_end"), at) if renews else None,
        trial_days_left=_days_until(row.get("trial_end"), at) if status == "trialing" else None,
    )


def account_state(
    rows: Iterable[Mapping[str, Any]],
    at: datetime,
    grace: timedelta = DUNNING_GRACE,
    read_at: datetime | None = None,
) -> SubscriptionState:
    """The state of an account with the subscriptions ``rows``: `order_of` says which of them speaks for it.

    MRR and seats are those of all subscriptions in force; MRR in several currencies, or beside a subscription of
    unknown state or price, is unknown.
    """
    found = [(row, state) for row in rows if (state := subscription_state(row, at, grace, read_at)) is not None]
    found = [(row, _unless_replaced(row, state, found)) for row, state in found]
    if not found:
        return NO_SUBSCRIPTION
    best = max(found, key=lambda pair: _rank(*pair))[1]
    in_force = [state for _, state in found if state.status != "ended"]
    currencies = {str(row.get("currency") or "").strip().upper() for row, state in found if state.mrr}
    total = all(state.status and state.mrr is not None for state in in_force) and len(currencies) <= 1
    return SubscriptionState(
        status=best.status,
        plan=best.plan,
        paying=best.paying,
        mrr=_sum([state.mrr for state in in_force]) if total else None,
        seats=_sum([state.seats for state in in_force]),
        renews=best.renews,
        days_to_renewal=best.days_to_renewal,
        trial_days_left=best.trial_days_left,
    )


def status_word(status: object) -> str | None:
    """A status as the words are spelled: lower case, with underscores; None where it is none of its words."""
    word = str(status or "").strip().lower().replace(" ", "_").replace("-", "_")
    return word if word in KNOWN_WORDS else None


def _date(row: Mapping[str, Any], name: str) -> datetime | None:
    found: datetime | None = row.get(name)
    return found


def _since(row: Mapping[str, Any]) -> datetime | None:
    """The start; None where it is not known. A term that starts when a trial of unknown start ends is no start."""
    trial_start, trial_end, term = (_date(row, name) for name in ("trial_start", "trial_end", "term_start"))
    if trial_start is not None:
        return trial_start
    return term if trial_end is None or (term is not None and term < trial_end) else None


def _status(
    row: Mapping[str, Any], word: str | None, at: datetime, grace: timedelta, read_at: datetime | None
) -> Status | None:
    says = [name for name in ("status", *DATES) if name in row]
    if says and word is None and all(row.get(name) is None for name in DATES):
        return None
    asked = _asked(row, word, at, read_at)
    term_start, trial_end = _date(row, "term_start"), _date(row, "trial_end")
    between = trial_end is not None and trial_end <= at and term_start is not None and term_start > at
    if word in STOPPED or between or _over(row, word, at, grace, asked=asked):
        return "ended"
    if _on_trial(row, word, at):
        return "trialing"
    if asked:
        return "cancelled_at_term_end"
    return "past_due" if word in PAST_DUE else "active"


def _asked(row: Mapping[str, Any], word: str | None, at: datetime, read_at: datetime | None) -> bool:
    """Whether cancelling had been asked for. Without a date, the status says so; ``cancelled`` may mean a known end.

    An end that lay ahead at the moment of reading is announced, and says nothing of when cancelling was asked for.
    """
    asked, ended = (_unless_announced(_date(row, name), read_at) for name in ("cancelled_at", "ended_at"))
    if asked is not None:
        return asked <= at
    return word in NON_RENEWING or (word in CANCELLED and ended is None)


def _unless_announced(end: datetime | None, read_at: datetime | None) -> datetime | None:
    return None if end is None or (read_at is not None and end > read_at) else end


def _over(row: Mapping[str, Any], word: str | None, at: datetime, grace: timedelta, *, asked: bool) -> bool:
    ended_at, term_end, trial_end = (_date(row, name) for name in ("ended_at", "term_end", "trial_end"))
    if ended_at is not None:
        return ended_at <= at
    if term_end is not None:
        return term_end <= (at - grace if word in PAST_DUE and not asked else at)
    end = trial_end if _date(row, "term_start") is None else None
    if word in (*CANCELLED, *ENDED):
        end = _date(row, "cancelled_at") or end
        return end is None or end <= at
    return end is not None and word not in PAYS and end <= at


def _on_trial(row: Mapping[str, Any], word: str | None, at: datetime) -> bool:
    """Whether a trial runs: by its dates, or by the status where no date says when it ends."""
    trial_start, trial_end, term_start = (_date(row, name) for name in ("trial_start", "trial_end", "term_start"))
    if trial_end is None:
        to_come = term_start > at if term_start is not None else word not in PAYS
        return word in TRIAL or (trial_start is not None and to_come)
    if trial_end <= at:
        return False
    if term_start is None or term_start > at:
        return True
    # A term that starts with the trial is the period a billing system counts the trial as.
    return term_start <= trial_start if trial_start is not None else word not in PAYS


def _paying(status: Status | None, mrr: float | None) -> bool | None:
    if status in {"trialing", "ended"}:
        return False
    return None if status is None or mrr is None else mrr > 0


def _unless_replaced(
    row: Mapping[str, Any],
    state: SubscriptionState,
    others: Iterable[tuple[Mapping[str, Any], SubscriptionState]],
) -> SubscriptionState:
    same = [other for other in others if (other[0].get("product") or "") == (row.get("product") or "")]
    replaced = _has_later_term(row, same) or _has_successor(row, state, same)
    return replace(NO_SUBSCRIPTION, status="ended") if replaced else state


def _has_later_term(row: Mapping[str, Any], others: Iterable[tuple[Mapping[str, Any], SubscriptionState]]) -> bool:
    sub_id, since = row.get("sub_id"), _since(row)
    if sub_id is None or since is None:
        return False
    starts = (_since(other) for other, _ in others if other.get("sub_id") == sub_id)
    return any(start is not None and start > since for start in starts)


def _has_successor(
    row: Mapping[str, Any],
    state: SubscriptionState,
    others: Iterable[tuple[Mapping[str, Any], SubscriptionState]],
) -> bool:
    asked = _date(row, "cancelled_at")
    if state.status != "cancelled_at_term_end" or asked is None:
        return False
    starts = (_since(other) for other, its_state in others if its_state.renews)
    return any(start is not None and _day(start) >= _day(asked) for start in starts)


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def _rank(row: Mapping[str, Any], state: SubscriptionState) -> tuple[Any, ...]:
    since, tier = _since(row), row.get("tier_rank")
    return (
        {True: 2, None: 1, False: 0}[state.paying],
        ORDER.index(state.status),
        -inf if tier is None else tier,
        -inf if state.mrr is None else state.mrr,
        -inf if since is None else since.timestamp(),
        *(row.get(name) or "" for name in ("plan", "product", "sub_id")),
    )


def _sum(values: list[float | None]) -> float | None:
    """No subscription is a true zero; subscriptions that all leave the value out are unknown."""
    known = [value for value in values if value is not None]
    return sum(known) if known or not values else None


def _days_until(moment: datetime | None, at: datetime) -> int | None:
    return None if moment is None or moment <= at else -((at - moment) // timedelta(days=1))
