"""Who comes first when not everybody can: 0 to 100, higher first."""

from __future__ import annotations

from collections.abc import Callable

from worker.language.values import Fields, Value
from worker.settings.playbook import Playbook

_HALF_WAY_MRR = 1_000.0


def rank_of(playbook: Playbook) -> Callable[[Fields], float]:
    """The rank of an account in a playbook, by the score the playbook is about.

    PQL: the highest ``pql.score``. Health or onboarding: the lowest score. Otherwise the highest ``mrr``, bent
    into 0-100 so that ranks of different playbooks can be compared. Unknown comes last, with 0.
    """
    names = {name for _, need in playbook.when.enters.needs() for name in need.fields}
    if any(name.startswith(("pql.", "fit.")) for name in names):
        return lambda fields: _between(_number(fields.get("pql.score")))
    if any(name.startswith("health.") for name in names):
        return lambda fields: _lowest_first(_number(fields.get("health.score")))
    if any(name.startswith("onboarding.") for name in names):
        return lambda fields: _lowest_first(_number(fields.get("onboarding.score")))
    return lambda fields: _bent(_number(fields.get("mrr")))


def _number(value: Value) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and value == value
    return min(max(float(value), -1e12), 1e12) if known else None  # type: ignore[arg-type]  # known says so


def _between(score: float | None) -> float:
    return 0.0 if score is None else min(max(score, 0.0), 100.0)


def _lowest_first(score: float | None) -> float:
    return 0.0 if score is None else 100.0 - _between(score)


def _bent(amount: float | None) -> float:
    return 0.0 if amount is None or amount <= 0 else 100.0 * amount / (amount + _HALF_WAY_MRR)
