"""Settings and accounts the score tests share. `day(n)` is the morning of the n-th day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from worker.language.need import Decay, Need
from worker.settings.scores import ScoresSettings

START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)

HEALTH: dict[str, Any] = {
    "smoothing": "7d",
    "publish_step": 1,
    "profiles": [
        {"name": "internal", "applies": "account.is_internal is true", "scored": False},
        {
            "name": "mature",
            "applies": {"all": ["account.age_days >= 60", "plan in [pro, enterprise]"]},
            "parts": [
                {"name": "Seat use", "weight": 40, "metric": "seats_used / seat_limit", "bad": "30%", "good": "90%"},
                {
                    "name": "Activity",
                    "weight": 30,
                    "metric": "key_events_28d",
                    "compare": "previous",
                    "bad": "-50%",
                    "good": "0%",
                    "needs": {"age": "56d", "volume": 50},
                },
                {"name": "NPS", "weight": 20, "metric": "nps.latest", "bad": 0, "good": 9, "stale_after": "180d"},
                {"name": "Support", "weight": 10, "metric": "urgent_tickets_open", "bad": 3, "good": 0},
            ],
        },
        {
            "name": "new",
            "parts": [{"name": "Seat use", "weight": 100, "metric": "seats_used / seat_limit", "bad": 0, "good": 1}],
        },
    ],
    "caps": [
        {"when": "days_payment_overdue > 14", "at_most": 39, "say": "Payment overdue"},
        {"when": "top_user_share_28d > 80%", "at_most": 69, "say": "One person does it all"},
    ],
}

ONBOARDING: dict[str, Any] = {
    "stuck_after": "7d",
    "dormant_when": "count(Signed In, 14d) is 0",
    "milestones": [
        {"name": "invite", "weight": 20, "due_days": 3, "done_when": "invites >= 1"},
        {"name": "import", "weight": 30, "due_days": 7, "done_when": "imports >= 1"},
        {"name": "report", "weight": 20, "due_days": 10, "done_when": "reports >= 1"},
        {"name": "integration", "weight": 30, "due_days": 14, "done_when": "integrations >= 1"},
    ],
}

PQL: dict[str, Any] = {
    "publish_step": 1,
    "converted_when": "plan in [pro, enterprise]",
    "hand_raise": {"when": "days_since(Contact Sales Clicked) <= 7", "say": "Asked for sales"},
    "fit": {
        "parts": [
            {
                "name": "Size",
                "weight": 100,
                "metric": "account.employees",
                "bad": 0,
                "good": 100,
                "say": "{{account.employees}} employees",
            }
        ]
    },
    "usage": {
        "parts": [
            {
                "name": "Seats",
                "weight": 100,
                "metric": "seats_used",
                "bad": 0,
                "good": 100,
                "say": "Seats {{seats_used}}/{{seat_limit}}",
            }
        ]
    },
    "intent": {"events": [{"event": "Pricing Viewed", "points": 60}]},
    "working_when": "crm.task_status in [in_progress, completed]",
    "disqualify_reason": "crm.pql_disqualify_reason",
}


def day(n: float) -> datetime:
    return START + timedelta(days=n)


def settings(
    health: dict[str, Any] | None = None, onboarding: dict[str, Any] | None = None, pql: dict[str, Any] | None = None
) -> ScoresSettings:
    """Validated settings out of the pieces given; what is not given is not scored."""
    made: ScoresSettings = ScoresSettings.model_validate(
        {"version": 1, "health": health, "onboarding": onboarding, "pql": pql}
    )
    return made


def events(name: str, *ages: float, points: float = 60, at_most_per_day: float = 100) -> dict[str, Any]:
    """What signals would give for one event of each age in days, with a half-life of a week."""
    per_day = at_most_per_day / points
    left = 0.0
    for day, same in groupby(sorted(ages), key=int):
        left += sum(min(1.0, max(0.0, per_day - place)) * 0.5 ** (day / 7) for place, _ in enumerate(same))
    key = Need("decayed", name, decay=Decay(timedelta(days=7), per_day)).key
    return {key: left, f"days_since({name})": min(map(int, ages), default=None)}


def mature(**changes: Any) -> dict[str, Any]:
    """A mature paying account: seats 70 points, activity 24, support 90, and NPS unknown unless given."""
    fields: dict[str, Any] = {
        "account.age_days": 400,
        "account.is_internal": False,
        "plan": "pro",
        "seats_used": 72,
        "seat_limit": 100,
        "key_events_28d": 62,
        "key_events_prev_28d": 100,
        "urgent_tickets_open": 0.3,
        "days_payment_overdue": 0,
        "top_user_share_28d": 0.3,
    }
    return fields | changes
