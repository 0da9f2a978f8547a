"""The words of billing systems for the state of a subscription, and our own."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

Status = Literal["active", "past_due", "cancelled_at_term_end", "trialing", "ended"]

DUNNING_GRACE = timedelta(days=30)
"""How long a past-due subscription stays in force after its term, unless settings say otherwise."""

TRIAL = ("trial", "trialing", "trialling", "in_trial", "on_trial")
ACTIVE = ("active", "live", "paid", "current", "running")
PAST_DUE = ("past_due", "pastdue", "overdue", "dunning", "in_dunning", "delinquent", "payment_failed")
NON_RENEWING = ("non_renewing", "cancel_at_period_end", "cancelled_at_term_end", "cancelling", "pending_cancellation")
CANCELLED = ("cancelled", "canceled")
ENDED = ("ended", "expired", "churned", "deleted", "inactive", "terminated", "incomplete_expired")
STOPPED = ("paused", "on_hold", "suspended", "unpaid")
"""No service and no bill for now, whatever the term is: counts as ended until the billing system says otherwise."""
NOT_STARTED = ("incomplete", "pending", "future", "scheduled", "not_started")
PAYS = (*ACTIVE, *PAST_DUE)
KNOWN_WORDS = (*TRIAL, *PAYS, *NON_RENEWING, *CANCELLED, *ENDED, *STOPPED, *NOT_STARTED)
DATES = ("trial_start", "trial_end", "term_start", "term_end", "cancelled_at", "ended_at")

ORDER: tuple[Status | None, ...] = ("ended", None, "trialing", "cancelled_at_term_end", "past_due", "active")
"""The states of the subscriptions of one account, the one that speaks for the account last."""
