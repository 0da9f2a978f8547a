"""The explanation of one account for a CSM."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.tree import Tree

from worker.language.condition import Trace
from worker.language.values import Value, tidy
from worker.planning.account_in_crm import AccountInCrm, QueuedEffect
from worker.rendering.console import OneLine
from worker.rendering.heading import heading
from worker.rendering.remarks import RECORD_OF_SEVERAL, some
from worker.reports.explain import Explanation
from worker.reports.past import Past
from worker.rules.explain import Explanation as PlaybookExplanation
from worker.scores.result import Grid, ScoreResult
from worker.settings.score_specs import score_specs

_NUMBERS = frozenset({"value", "points", "weight", "adds"})
_TRUTH = {True: ("true", "green"), False: ("false", "red"), None: ("unknown", "yellow")}


def render_explanation(explanation: Explanation) -> RenderableType:
    """Scores with their parts, playbooks with their tests, then the account in each CRM."""
    fields = explanation.fields
    name = fields.get("account.name") or explanation.account_id
    head = (
        f"{name} · id {explanation.account_id} · {fields.get('account.domain') or 'no domain'} · "
        f"as of {explanation.as_of:%Y-%m-%d %H:%M} UTC · settings {explanation.config_version}"
    )
    past = explanation.past
    return Group(
        OneLine(head, style="bold"),
        *(OneLine(remark, style="yellow") for remark in explanation.remarks),
        *(_published(explanation, past) if past else ()),
        *(part for spec in score_specs() for part in _score(spec.label, explanation.scored[spec.name])),
        heading("Playbooks: where it was then, and the conditions by today's settings" if past else "Playbooks"),
        *(_playbook(playbook, past) for playbook in explanation.playbooks),
        *(_gone_playbooks(explanation, past) if past else ()),
        heading("CRMs, as of the last run"),
        *(_account_in_crm(account) for account in explanation.crms),
    )


def _published(explanation: Explanation, past: Past) -> Iterable[RenderableType]:
    """What was published then beside what today's settings say."""
    yield heading("Published then, and by today's settings")
    run = f"the run as of {past.run}" if past.run else "no run of then is kept"
    if past.published:
        yield OneLine(f"published on {past.day} with settings {past.config_version}; {run}")
    if past.remark:
        yield OneLine(past.remark, style="yellow")
    yield OneLine(
        f"by today's settings ({explanation.config_version}): from the product data of then, without the memory of "
        "earlier runs; crm.* as of the last run"
    )
    table = Table(header_style="bold")
    for title in ("field", "published then", "by today's settings"):
        table.add_column(title)
    for name in past.published:
        table.add_row(name, _shown(past.published[name]), _shown(explanation.fields.get(name)))
    if past.published:
        yield table


def _gone_playbooks(explanation: Explanation, past: Past) -> Iterable[RenderableType]:
    present = {playbook.playbook_id for playbook in explanation.playbooks}
    for name, state in past.playbooks.items():
        if name not in present:
            yield OneLine.assemble((name, "bold"), f" (not in playbooks/ now) · {state.status}")


def _shown(value: Value | float) -> str:
    return "unknown" if value is None else tidy(value)


def _score(title: str, result: ScoreResult) -> Iterable[RenderableType]:
    yield heading(title)
    for part in result.explained():
        yield _grid(part) if isinstance(part, Grid) else OneLine(part.text, style=part.style)


def _grid(grid: Grid) -> Table:
    table = Table(header_style="bold")
    for title in grid.columns:
        table.add_column(title, justify="right" if title in _NUMBERS else "left")
    for row in grid.rows:
        table.add_row(*row[:-1], OneLine(row[-1], style="yellow"))
    return table


def _playbook(playbook: PlaybookExplanation, past: Past | None) -> RenderableType:
    word, style = _TRUTH[playbook.starts]
    tree = Tree(OneLine.assemble((playbook.playbook_id, "bold"), f" ({playbook.mode}) · {playbook.status}"))
    if past and playbook.playbook_id in past.playbooks:
        for event in past.playbooks[playbook.playbook_id].events:
            tree.add(OneLine(f"{tidy(event.as_of)}: {event.event.replace('_', ' ')} {event.because}".rstrip()))
        for key in past.tasks.get(playbook.playbook_id, ()):
            tree.add(OneLine(f"task made by then: {key}"))
    tree.add(OneLine.assemble("belongs inside: ", (word, style)))
    for name, trace in (("audience", playbook.audience), ("enters", playbook.enters), ("leaves", playbook.leaves)):
        if trace is not None:
            _branch(tree.add(_line(trace, name)), trace)
    if playbook.missing:
        tree.add(OneLine(f"blocked by missing data: {', '.join(playbook.missing)}", style="yellow"))
    return tree


def _branch(tree: Tree, trace: Trace) -> None:
    for child in trace.children:
        _branch(tree.add(_line(child)), child)


def _line(trace: Trace, name: str = "") -> OneLine:
    word, style = _TRUTH[trace.truth]
    seen = ", ".join(f"{key} = {_shown(value)}" for key, value in trace.seen)
    text = OneLine().append(f"{word:8}", style).append(f"{name}: " if name else "").append(trace.text)
    if seen:
        text.append(f"   {seen}", style="dim")
    if trace.incomparable:
        text.append(f"   {trace.incomparable}", style="yellow")
    return text


def _account_in_crm(account: AccountInCrm) -> RenderableType:
    by = f", found by {account.matched_by}" if account.status == "matched" and account.matched_by else ""
    tree = Tree(OneLine.assemble((account.destination, "bold"), f" · {account.object} · {account.status}{by}"))
    for link in account.links:
        tree.add(OneLine(link))
    if account.members:
        tree.add(OneLine(f"record of {some(account.members)}"))
    for one in account.shared:
        tree.add(OneLine(f"{one.field}: {one.combine}, from {some(one.accounts) or 'no account'}"))
    if account.spare:
        tree.add(OneLine(f"its own record, which is not written any more: {account.spare}", style="yellow"))
    if account.rivals:
        tree.add(OneLine(f"claimed by {some(account.rivals)} too: {RECORD_OF_SEVERAL}", style="yellow"))
    for effect in account.effects:
        tree.add(_effect(effect))
    return tree


def _effect(effect: QueuedEffect) -> OneLine:
    what = " ".join(part for part in (effect.kind.replace("_", " "), effect.object, effect.subject) if part)
    text = OneLine(f"{effect.state}: {what}" + (f" ({effect.playbook_id})" if effect.playbook_id else ""))
    if effect.no_person:
        text.append(f"   names no person: {effect.no_person}", style="yellow")
    if effect.words:
        text.append(f"   {effect.words}", style="yellow")
    return text
