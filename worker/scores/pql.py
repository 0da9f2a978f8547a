"""PQL: is this free account worth a salesperson's call now, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from worker.language.values import Fields
from worker.scores.intent import IntentScore, score_intent
from worker.scores.memory import PqlMemory, ScoreMemory, Shown, show
from worker.scores.parts import PartScore, WeightedSum, number, score_parts, weigh, whole
from worker.scores.pql_state import PqlInputs, next_state
from worker.scores.wording import one_line, signed
from worker.settings.scores_pql import PqlSettings

PqlStatus = Literal["none", "needs_enrichment", "open", "working", "converted", "disqualified", "expired"]


@dataclass(frozen=True, slots=True)
class Pql:
    """``score`` weighs ``usage`` and ``intent``; ``live`` is the same at this very moment, to which the contributions
    of their parts add up. ``score`` and ``reasons`` are published together and stay until the status, the label or the
    score by ``publish_step`` points changes. ``fit`` only gates.

    Accounts that pay have no score and no label. ``needs_enrichment``: the score would do, but nobody knows whether
    the account fits. ``reasons`` say why now, so they are empty for accounts that are neither a PQL nor near one.
    """

    status: PqlStatus | None
    score: int | None
    fit: int | None
    usage: int | None
    intent: int | None
    label: str | None
    reasons: str
    live: int | None = None
    since: datetime | None = None
    entered_at: datetime | None = None
    hand_raised: bool | None = None
    fit_parts: tuple[PartScore, ...] = ()
    usage_parts: tuple[PartScore, ...] = ()
    intent_parts: tuple[IntentScore, ...] = ()


_ACTIVE = {"open", "working"}

NOT_CONFIGURED = Pql(None, None, None, None, None, None, "")


def score_pql(settings: PqlSettings, now: Fields, memory: ScoreMemory, as_of: datetime) -> tuple[Pql, ScoreMemory]:
    """The PQL as of one moment, and the memory with its state, which moves only when ``as_of`` does."""
    fit = weigh(score_parts(settings.fit.parts, now), settings.fit.min_coverage)
    usage = weigh(score_parts(settings.usage.parts, now), settings.usage.min_coverage)
    events, intent = score_intent(settings.intent, now)
    weights = settings.usage.weight + settings.intent.weight
    use_share, intent_share = settings.usage.weight / weights, settings.intent.weight / weights
    usage_parts = _contributing(usage, use_share)
    intent_parts = _decaying(events, intent, intent_share)
    paying = settings.converted_when.truth(now)
    score = None
    if usage.total is not None and intent is not None and not paying:
        score = whole(use_share * usage.total + intent_share * intent)
    raised = settings.hand_raise.when.truth(now) if settings.hand_raise else False
    after = memory.pql
    if memory.moves_at(as_of):
        seen = _inputs(settings, now, score, _whole(fit.total), raised=raised, paying=paying)
        after = next_state(settings, memory.pql, seen, as_of, first=memory.as_of is None)
    pql = Pql(
        status=_status(settings, after, score, _whole(fit.total)),
        score=score,
        fit=_whole(fit.total),
        usage=_whole(usage.total),
        intent=_whole(intent),
        label=_label(settings, _whole(fit.total), score),
        reasons="",
        live=score,
        since=after.since,
        entered_at=after.entered_at,
        hand_raised=raised,
        fit_parts=fit.parts,
        usage_parts=usage_parts,
        intent_parts=intent_parts,
    )
    near = score is not None and score >= settings.closes_below
    reasons = _reasons(settings, pql) if near or after.state in _ACTIVE else ""
    if score is None:
        return replace(pql, reasons=reasons), replace(memory, pql=after)
    cause = f"{pql.status}|{pql.label}|{after.entered_at}|{raised}|{bool(reasons)}"
    shown = show(memory.pql_shown, Shown(score, None, reasons, cause), settings.publish_step)
    return replace(pql, score=shown.score, reasons=shown.reasons), replace(memory, pql=after, pql_shown=shown)


def _contributing(usage: WeightedSum, share: float) -> tuple[PartScore, ...]:
    return tuple(p if p.contribution is None else replace(p, contribution=p.contribution * share) for p in usage.parts)


def _decaying(events: tuple[IntentScore, ...], total: float | None, share: float) -> tuple[IntentScore, ...]:
    """Contributions that still add up when the events together pass the 100 that intent can reach."""
    everything = sum(event.points or 0.0 for event in events)
    if total is None:
        return events
    scale = share * (total / everything if everything else 0.0)
    return tuple(replace(event, contribution=(event.points or 0.0) * scale) for event in events)


def _inputs(
    settings: PqlSettings, now: Fields, score: int | None, fit: int | None, *, raised: bool | None, paying: bool | None
) -> PqlInputs:
    reason = None if settings.disqualify_reason is None else settings.disqualify_reason.value(now)
    age = number(now.get("account.age_days"))
    return PqlInputs(
        score=score,
        fit=fit,
        fit_grade=_grade(settings, fit),
        hand_raised=raised,
        converted=paying,
        worked=None if settings.working_when is None else settings.working_when.truth(now),
        reason=str(reason) if reason not in (None, "") else None,
        reason_cleared=reason in (None, "") and now.get("crm.matched") is True,
        age=None if age is None else timedelta(days=age),
    )


def _status(settings: PqlSettings, memory: PqlMemory, score: int | None, fit: int | None) -> PqlStatus:
    wanted = score is not None and score >= settings.opens_at
    return "needs_enrichment" if memory.state == "none" and fit is None and wanted else memory.state


def _grade(settings: PqlSettings, fit: int | None) -> str | None:
    if fit is None:
        return None
    return "A" if fit >= settings.labels.a else "B" if fit >= settings.labels.b else "C"


def _label(settings: PqlSettings, fit: int | None, score: int | None) -> str | None:
    grade = _grade(settings, fit)
    if grade is None or score is None:
        return None
    return grade + ("1" if score >= settings.labels.one else "2" if score >= settings.labels.two else "3")


def _reasons(settings: PqlSettings, pql: Pql) -> str:
    """Strongest first: a raised hand, then what earned at least a point, then the fit."""
    items = [settings.hand_raise.say] if settings.hand_raise and pql.hand_raised else []
    earned = [(part.contribution or 0.0, part.said) for part in pql.usage_parts]
    earned += [(part.contribution or 0.0, part.said) for part in pql.intent_parts]
    strongest = sorted((pair for pair in earned if pair[0] >= 0.5), key=lambda pair: -pair[0])
    items += [f"{said} ({signed(points)})" for points, said in strongest]
    if pql.fit is None:
        return one_line([*items, "fit unknown"])
    best = max((part for part in pql.fit_parts if part.contribution), key=lambda p: p.contribution or 0.0, default=None)
    fit = f"fit {_grade(settings, pql.fit)}"
    return one_line([*items, f"{fit}: {best.said}" if best else fit])


def _whole(score: float | None) -> int | None:
    return None if score is None else whole(score)
