"""The history of a CRM record, a task or an account: who wrote what and why, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Group, RenderableType

from worker.language.plural import counted
from worker.rendering.console import OneLine
from worker.rendering.remarks import some
from worker.reports.history import Effect, Written

_STYLES = {"applied": "green", "rejected": "yellow", "unknown": "yellow", "retry": "yellow"}
_WORDS = {
    "applied": "applied by the CRM",
    "rejected": "rejected by the CRM",
    "unknown": "no answer: it may be applied",
    "retry": "the CRM asked for another try",
}


def render_effects(record: str, effects: Sequence[Effect]) -> RenderableType:
    """One paragraph per effect: when, what, who, why, and the CRM's answer."""
    if not effects:
        return OneLine(f"nothing was ever written for {record}, by the ledger")
    return Group(*(line for effect in effects for line in _lines(effect)))


def _lines(effect: Effect) -> Sequence[OneLine]:
    when = datetime.fromtimestamp(effect.at, UTC)
    answer = " ".join(part for part in (_WORDS[effect.status], effect.code, effect.reason) if part)
    where = effect.record_id or effect.crm_id or "no record"
    head = OneLine().append(f"{when:%Y-%m-%d %H:%M:%S} UTC", "bold")
    head.append(f"  {effect.destination}  {effect.kind.replace('_', ' ')}  {where}  ")
    head.append(answer, _STYLES[effect.status])
    of_run = f"as of {effect.as_of}, settings {effect.config_version}" if effect.as_of else "no longer in the store"
    run = f"run {effect.run_id}, {of_run}" if effect.run_id else "an unknown run"
    shared = f", record of {counted(effect.members, 'account')}" if effect.members else ""
    lines = [head, OneLine(f"    {run}, account {effect.account_id}{shared}", style="dim")]
    if effect.task:
        lines.append(OneLine(f"    by playbook {effect.playbook_id or '–'}: {effect.task}"))
    if effect.because:
        lines.append(OneLine(f"    because {effect.because}"))
    return [*lines, *(_field(written) for written in effect.fields)]


def _field(written: Written) -> OneLine:
    old = "?" if not written.old_known else _shown(written.old)
    who = f"  by {written.by}" if written.by else ""
    why = f"  because {written.because}" if written.because else ""
    of = f"  from {some(written.accounts, written.account_count)}" if written.accounts else ""
    return OneLine(f"    {written.field}: {old} → {_shown(written.new)}{who}{why}{of}")


def _shown(value: object) -> str:
    return "empty" if value is None else str(value)
