"""The explanation of one account, for a CSM who asks why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from worker.language.condition import Trace
from worker.language.values import Value, tidy
from worker.planning.account_in_crm import QueuedEffect, Standing
from worker.reports.explain import Explanation
from worker.rules.explain import Explanation as PlaybookExplanation
from worker.scores.health import Health
from worker.scores.intent import IntentScore
from worker.scores.onboarding import Onboarding
from worker.scores.parts import PartScore
from worker.scores.pql import Pql

_TRUTH = {True: ("true", "green"), False: ("false", "red"), None: ("unknown", "yellow")}


def render_explanation(explanation: Explanation) -> RenderableType:
    """Scores with their parts, playbooks with their tests, then how the account stands in the CRMs."""
    fields = explanation.fields
    name = fields.get("account.name") or explanation.account_id
    head = (
        f"{name} · id {explanation.account_id} · {fields.get('account.domain') or 'no domain'} · "
        f"as of {explanation.as_of:%Y-%m-%d %H:%M} UTC · settings {explanation.config_version}"
    )
    return Group(
        Text(head, style="bold"),
        *_health(explanation.scored.health),
        *_onboarding(explanation.scored.onboarding),
        *_pql(explanation.scored.pql),
        Rule("Playbooks", align="left"),
        *(_playbook(playbook) for playbook in explanation.playbooks),
        Rule("CRMs, as of the last run", align="left"),
        *(_standing(standing) for standing in explanation.crms),
    )


def _shown(value: Value | float) -> str:
    return "unknown" if value is None else tidy(value)


def _points(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _health(health: Health) -> Iterable[RenderableType]:
    yield Rule("Health", align="left")
    score = "no score" if health.score is None else f"{health.score} ({health.band})"
    words = f"{score} · {health.status.replace('_', ' ')} · profile {health.profile or 'none'}"
    yield Text(f"{words} · {health.coverage:.0%} of the weight is known")
    if health.mean is not None and health.today is not None:
        yield Text(f"today {health.today:.1f}; published is the mean of the last {health.days} days: {health.mean:.1f}")
    if health.parts:
        yield _parts(health.parts)
    for cap in health.caps:
        yield Text(f"capped at {cap.at_most}: {cap.say}" + ("" if cap.binds else " (does not bind)"), style="yellow")
    yield _change(health)


def _change(health: Health) -> RenderableType:
    change = health.change
    if change.points is None:
        return Text(f"change since 28 days ago: unknown, {change.unknown_because or 'nothing to compare with'}")
    moves = ", ".join(f"{move.name} {move.points:+.1f}{_KIND.get(move.kind, '')}" for move in change.moves)
    return Text(f"change since 28 days ago: {change.points:+d}" + (f" ({moves})" if moves else ""))


_KIND = {"left": " (no longer counted)", "joined": " (newly counted)", "cap": " (cap)"}


def _parts(parts: Sequence[PartScore]) -> Table:
    table = Table(header_style="bold")
    for title, justify in (("part", "left"), ("value", "right"), ("points", "right"), ("weight", "right")):
        table.add_column(title, justify="right" if justify == "right" else "left")
    table.add_column("adds", justify="right")
    table.add_column("missing")
    for part in parts:
        table.add_row(
            part.name,
            _shown(part.value),
            _points(part.points),
            f"{part.weight:g}",
            _points(part.contribution),
            Text(part.missing, style="yellow"),
        )
    return table


def _onboarding(onboarding: Onboarding) -> Iterable[RenderableType]:
    yield Rule("Onboarding", align="left")
    expected = "" if onboarding.expected is None else f" (expected by now: {onboarding.expected})"
    yield Text(f"{_shown(onboarding.score)}{expected} · {(onboarding.status or 'unknown').replace('_', ' ')}")
    if not onboarding.milestones:
        return
    table = Table(header_style="bold")
    for title in ("milestone", "weight", "due", "done", "missing"):
        table.add_column(title)
    for step in onboarding.milestones:
        done = f"{step.done_at:%Y-%m-%d}" if step.done_at else _TRUTH[step.done][0] if step.done is not None else "–"
        late = f" ({step.overdue_days} days late)" if step.overdue_days > 0 and not step.done else ""
        name = step.name if step.required else f"{step.name} (optional)"
        table.add_row(name, f"{step.weight:g}", f"day {step.due_days}{late}", done, Text(step.missing, style="yellow"))
    yield table


def _pql(pql: Pql) -> Iterable[RenderableType]:
    yield Rule("PQL", align="left")
    since = f" since {pql.since:%Y-%m-%d}" if pql.since else ""
    yield Text(
        f"{_shown(pql.score)} · {(pql.status or 'unknown').replace('_', ' ')}{since} · label {pql.label or '–'} · "
        f"fit {_shown(pql.fit)}, usage {_shown(pql.usage)}, intent {_shown(pql.intent)}"
    )
    if pql.reasons:
        yield Text(pql.reasons)
    for title, parts in (("fit", pql.fit_parts), ("usage", pql.usage_parts)):
        if parts:
            yield Text(title, style="bold")
            yield _parts(parts)
    if pql.intent_parts:
        yield Text("intent", style="bold")
        yield _intent(pql.intent_parts)


def _intent(parts: Sequence[IntentScore]) -> Table:
    table = Table(header_style="bold")
    for title in ("event", "in 28 days", "points now", "missing"):
        table.add_column(title)
    for part in parts:
        table.add_row(part.event, _shown(part.count_28d), _points(part.points), Text(part.missing, style="yellow"))
    return table


def _playbook(playbook: PlaybookExplanation) -> RenderableType:
    word, style = _TRUTH[playbook.starts]
    tree = Tree(Text.assemble((playbook.playbook_id, "bold"), f" ({playbook.mode}) · {playbook.standing}"))
    tree.add(Text.assemble("belongs inside: ", (word, style)))
    for name, trace in (("audience", playbook.audience), ("enters", playbook.enters), ("leaves", playbook.leaves)):
        if trace is not None:
            _branch(tree.add(_line(trace, name)), trace)
    if playbook.missing:
        tree.add(Text(f"blocked by missing data: {', '.join(playbook.missing)}", style="yellow"))
    return tree


def _branch(tree: Tree, trace: Trace) -> None:
    for child in trace.children:
        _branch(tree.add(_line(child)), child)


def _line(trace: Trace, name: str = "") -> Text:
    word, style = _TRUTH[trace.truth]
    seen = ", ".join(f"{key} = {_shown(value)}" for key, value in trace.seen)
    text = Text.assemble((f"{word:8}", style), f"{name}: " if name else "", trace.text)
    if seen:
        text.append(f"   {seen}", style="dim")
    if trace.note:
        text.append(f"   {trace.note}", style="yellow")
    return text


def _standing(standing: Standing) -> RenderableType:
    by = f", found by {standing.matched_by}" if standing.status == "matched" and standing.matched_by else ""
    tree = Tree(Text.assemble((standing.destination, "bold"), f" · {standing.object} · {standing.status}{by}"))
    for link in standing.links:
        tree.add(Text(link))
    for effect in standing.effects:
        tree.add(_effect(effect))
    return tree


def _effect(effect: QueuedEffect) -> Text:
    what = " ".join(part for part in (effect.kind.replace("_", " "), effect.object, effect.subject) if part)
    text = Text(f"{effect.state}: {what}" + (f" ({effect.playbook_id})" if effect.playbook_id else ""))
    if effect.no_person:
        text.append(f"   names no person: {effect.no_person}", style="yellow")
    if effect.words:
        text.append(f"   {effect.words}", style="yellow")
    return text
