"""Who comes first when not everybody can: 0 to 100, higher first."""

from __future__ import annotations

from collections.abc import Callable

from worker.language.values import Fields, Value
from worker.settings.playbook import Playbook
from worker.settings.score_specs import score_specs

_HALF_WAY_MRR = 1_000.0


def rank_of(playbook: Playbook) -> Callable[[Fields], float]:
    """The rank of an account in a playbook, by the score the playbook is about.

    A score says itself whether its highest or its lowest values come first (`ScoreSpec.rank`); of several scores one
    whose highest values come first decides. Otherwise the highest ``mrr``, bent into 0-100 so that ranks of different
    playbooks can be compared. Unknown comes last, with 0.
    """
    prefixes = {name.split(".")[0] for _, need in playbook.when.enters.needs() for name in need.fields}
    for spec in sorted(score_specs(), key=lambda spec: spec.rank != "highest"):
        if spec.prefixes & prefixes:
            rank, name = _between if spec.rank == "highest" else _lowest_first, spec.rank_field
            return lambda fields: rank(_number(fields.get(name)))
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
