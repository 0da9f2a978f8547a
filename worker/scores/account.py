"""All scores of one account, and what to remember of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from worker.language.values import Fields, Value
from worker.scores import onboarding, pql
from worker.scores.health import NOT_SCORED, Health, score_health
from worker.scores.memory import ScoreMemory
from worker.settings.scores import ScoresSettings


@dataclass(frozen=True, slots=True)
class Scored:
    """Everything the scores say of one account, explained part by part, and the memory for the next run."""

    health: Health
    onboarding: onboarding.Onboarding
    pql: pql.Pql
    memory: ScoreMemory

    def fields(self) -> dict[str, Value]:
        """The scores by the names conditions, templates and CRM fields use. Unknown is None."""
        health, steps, lead = self.health, self.onboarding, self.pql
        return {
            "health.score": health.score,
            "health.band": health.band,
            "health.status": health.status,
            "health.coverage": round(health.coverage, 4),
            "health.change_28d": health.points_28d,
            "health.reasons": health.reasons or None,
            "health.profile": health.profile,
            "onboarding.score": steps.score,
            "onboarding.status": steps.status,
            "onboarding.expected": steps.expected,
            "onboarding.next_milestone": steps.next_milestone,
            "onboarding.days_stuck": steps.days_stuck,
            "onboarding.done": steps.done,
            "fit.score": lead.fit,
            "pql.score": lead.score,
            "pql.usage": lead.usage,
            "pql.intent": lead.intent,
            "pql.status": lead.status,
            "pql.label": lead.label,
            "pql.reasons": lead.reasons or None,
            "pql.entered_at": lead.entered_at,
        }


def score_account(
    settings: ScoresSettings, now: Fields, then: Fields | None, memory: ScoreMemory, as_of: datetime
) -> Scored:
    """Scores one account as of an aware UTC moment.

    ``then`` holds the same account's fields as of 28 days earlier, None when there are none. The result depends
    on nothing else; holds, clocks and counters advance only when ``as_of`` is later than the memory's, so a
    second call with the memory of the first changes nothing. An earlier ``as_of`` leaves the memory as it is.
    """
    remembered, back = memory, memory.as_of is not None and as_of < memory.as_of
    if back:
        memory = replace(memory, health_shown=None, pql_shown=None)
    health, after = NOT_SCORED, memory
    if settings.health is not None:
        health, after = score_health(settings.health, now, then, memory, as_of)
    steps, done = onboarding.NOT_CONFIGURED, memory.milestones
    if settings.onboarding is not None:
        steps, done = onboarding.score_onboarding(settings.onboarding, now, then, memory, as_of)
    lead = pql.NOT_CONFIGURED
    if settings.pql is not None:
        lead, after = pql.score_pql(settings.pql, now, after, as_of)
    return Scored(health, steps, lead, remembered if back else replace(after, milestones=done, as_of=as_of))
