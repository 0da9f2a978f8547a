"""PQL: whether a free account is worth a call by sales now, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from worker.language.values import Fields, Value, tidy
from worker.scores.intent import IntentScore, score_intent
from worker.scores.memory import PqlMemory, Published, ScoreMemory, publish
from worker.scores.parts import PartScore, WeightedSum, number, parts_grid, rounded, score_parts, weigh
from worker.scores.pql_state import PqlInputs, next_state
from worker.scores.result import Grid, Note, points, shown
from worker.scores.wording import kept_in_crms, one_line, signed
from worker.settings.score_specs import Count, ScoreField, ScoreSpec
from worker.settings.scores_pql import PqlSettings

PqlStatus = Literal["none", "needs_enrichment", "open", "working", "converted", "disqualified", "expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pql:
    """``score`` weighs ``usage`` and ``intent``; the contributions of their parts add up to it. ``fit`` only gates.

    ``written`` are the score and reasons for the CRM, which stay together until the status, the label or the score by
    ``publish_step`` points changes.

    Accounts that pay have no score and no label. ``needs_enrichment``: the score is high enough, but the fit
    is not known. ``reasons`` say why now, so they are empty for accounts that are neither a PQL nor near one.
    """

    status: PqlStatus | None = None
    score: int | None = None
    fit: int | None = None
    usage: int | None = None
    intent: int | None = None
    label: str | None = None
    reasons: str = ""
    written: Published | None = None
    since: datetime | None = None
    entered_at: datetime | None = None
    hand_raised: bool | None = None
    fit_parts: tuple[PartScore, ...] = ()
    usage_parts: tuple[PartScore, ...] = ()
    intent_parts: tuple[IntentScore, ...] = ()

    def fields(self) -> dict[str, Value]:
        """The values of the fields of `SPEC`."""
        return {
            "fit.score": self.fit,
            "pql.score": self.score,
            "pql.usage": self.usage,
            "pql.intent": self.intent,
            "pql.status": self.status,
            "pql.label": self.label,
            "pql.reasons": self.reasons or None,
            "pql.entered_at": self.entered_at,
        }

    def kept_fields(self) -> dict[str, Value]:
        """The fields whose value in the CRM is `written`."""
        if self.written is None:
            return {}
        return {"pql.score": self.written.score, "pql.reasons": self.written.reasons or None}

    def explained(self) -> Iterator[Note | Grid]:
        """The score and its state, then the parts of fit, usage and intent."""
        since = f" since {self.since:%Y-%m-%d}" if self.since else ""
        yield Note(
            f"{shown(self.score)} · {(self.status or 'unknown').replace('_', ' ')}{since} · "
            f"label {self.label or '–'} · "
            f"fit {shown(self.fit)}, usage {shown(self.usage)}, intent {shown(self.intent)}"
        )
        if self.written is not None and self.written.score != self.score:
            yield Note(kept_in_crms(self.written.score))
        if self.reasons:
            yield Note(self.reasons)
        for title, parts in (("fit", self.fit_parts), ("usage", self.usage_parts)):
            if parts:
                yield Note(title, "bold")
                yield parts_grid(parts)
        if self.intent_parts:
            yield Note("intent", "bold")
            yield Grid(
                ("event", "days since", "points now", "missing"),
                tuple((p.event, shown(p.days_since), points(p.points), p.missing) for p in self.intent_parts),
            )


_ACTIVE = {"open", "working"}

NOT_CONFIGURED = Pql()


def score_pql(
    settings: PqlSettings,
    now: Fields,
    then: Fields | None,  # noqa: ARG001 - one shape for all scores
    memory: ScoreMemory,
    as_of: datetime,
) -> tuple[Pql, ScoreMemory]:
    """The PQL as of one moment, and the memory with its state, which moves only when ``as_of`` does."""
    fit = weigh(score_parts(settings.fit.parts, now), settings.fit.min_coverage)
    usage = weigh(score_parts(settings.usage.parts, now), settings.usage.min_coverage)
    events, intent = score_intent(settings.intent, now)
    weights = settings.usage.weight + settings.intent.weight
    use_share, intent_share = settings.usage.weight / weights, settings.intent.weight / weights
    usage_parts = _contributing(usage, use_share)
    intent_parts = _decaying(events, intent, intent_share)
    paying = settings.converted_when.truth(now)
    score = None if paying else _score(usage.total, intent, use_share, intent_share)
    raised = settings.hand_raise.when.truth(now) if settings.hand_raise else False
    after = memory.pql
    if memory.moves_at(as_of):
        seen = _inputs(settings, now, score, rounded(fit.total), raised=raised, paying=paying)
        after = next_state(settings, memory.pql, seen, as_of, first=memory.as_of is None)
    pql = Pql(
        status=_status(settings, after, score, rounded(fit.total)),
        score=score,
        fit=rounded(fit.total),
        usage=rounded(usage.total),
        intent=rounded(intent),
        label=_label(settings, rounded(fit.total), score),
        reasons="",
        since=after.since,
        entered_at=after.entered_at,
        hand_raised=raised,
        fit_parts=fit.parts,
        usage_parts=usage_parts,
        intent_parts=intent_parts,
    )
    near = score is not None and score >= settings.closes_below
    reasons = _reasons(settings, pql) if near or after.state in _ACTIVE else ""
    return _published(settings, replace(pql, reasons=reasons), replace(memory, pql=after))


def _score(usage: float | None, intent: float | None, use_share: float, intent_share: float) -> int | None:
    if usage is None or intent is None:
        return None
    return rounded(use_share * usage + intent_share * intent)


def _published(settings: PqlSettings, pql: Pql, memory: ScoreMemory) -> tuple[Pql, ScoreMemory]:
    if pql.score is None:
        return pql, memory
    cause = f"{pql.status}|{pql.label}|{pql.entered_at}|{pql.hand_raised}|{bool(pql.reasons)}"
    live = Published(pql.score, None, pql.reasons, cause)
    written = publish(memory.published.get("pql"), live, settings.publish_step)
    return replace(pql, written=written), replace(memory, published={**memory.published, "pql": written})


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
        touch=_touch(settings, now),
        reason=str(reason) if reason not in (None, "") else None,
        reason_cleared=reason in (None, "") and now.get("crm.matched") is True,
        age=None if age is None else timedelta(days=age),
    )


def _touch(settings: PqlSettings, now: Fields) -> str:
    """The values that ``working_when`` reads: another text means that a person did something."""
    if settings.working_when is None:
        return ""
    keys = sorted({need.key for _, need in settings.working_when.needs()})
    return "; ".join(f"{key}={tidy(value)}" for key in keys if (value := now.get(key)) is not None)


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


SPEC = ScoreSpec(
    name="pql",
    label="PQL",
    about="Product-qualified leads.",
    settings=PqlSettings,
    fields=(
        ScoreField(name="pql.score", label="PQL score", unit="points", history=True),
        ScoreField(
            name="pql.status",
            label="PQL status",
            kind="text",
            values=("none", "needs_enrichment", "open", "working", "converted", "disqualified", "expired"),
            history=True,
        ),
        ScoreField(name="pql.usage", label="PQL usage", unit="points"),
        ScoreField(name="pql.intent", label="PQL intent", unit="points"),
        ScoreField(name="fit.score", label="Fit", unit="points"),
        ScoreField(name="pql.label", label="PQL label", kind="text"),
        ScoreField(name="pql.reasons", label="Reasons of the PQL score", kind="text"),
        ScoreField(name="pql.entered_at", label="PQL since", kind="moment"),
    ),
    score=score_pql,
    unknown=NOT_CONFIGURED,
    rank_field="pql.score",
    rank="highest",
    counts=(Count(key="pql", field="pql.status", first=("open", "working", "converted", "disqualified", "expired")),),
    why=lambda fields: tidy(fields.get("pql.reasons") or fields.get("pql.status") or ""),
)
