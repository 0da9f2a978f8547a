"""What a score is: one declaration per score, and everything else reads the declarations.

A score is one module of `worker.scores` that holds ``SPEC``, a `ScoreSpec`. To add a score, write that module and put
its name into `SCORES`. Nothing else names a score:

================================================  ====================================================================
reader                                            what it takes from the declaration
================================================  ====================================================================
`worker.settings.scores`                          ``settings``: the block ``<name>:`` of config/scores.yaml
`worker.settings.known`                           ``fields``: the names, kinds and allowed values for conditions,
                                                  templates and ``from:`` in config/crm.yaml
`worker.settings.signals`                         the prefixes of the fields, which no signal may take
`worker.scores.account`                           ``score`` and ``unknown``: the formula, and the result without it
`worker.pipeline.commit`                          the fields with ``history``, one row per account, day and field
`worker.pipeline.provenance`                      ``why``: the reason that goes with a value into the ledger
`worker.pipeline.measure`                         the fields with ``change_of``
`worker.rules.rank`, playbook tests               ``rank_field`` and ``rank``
`worker.planning.combine`                         ``rank_field``, ``better`` and ``worst_first``: the worst and the best
                                                  of several accounts
`worker.rendering.summary`                        ``label`` and ``counts``
`worker.reports.explain`, `worker.rendering`      ``label``, and the result itself, which explains itself
================================================  ====================================================================

Settings lie below the scores, and an admin's file cannot be checked without the fields of the scores. So `SCORES`
holds names, and `score_specs` imports the modules. These modules may import `worker.settings.base`,
`worker.settings.scores_parts` and this module, but neither `worker.settings.scores` nor `worker.settings.known`, which
read the declarations when they are imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Literal

from worker.language.values import Fields
from worker.settings.base import Strict

SCORES = ("health", "onboarding", "pql")
"""The modules of `worker.scores` that declare a score, in the order in which people see them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreField:
    """One field of a score.

    ``name`` is what conditions, templates and CRM fields use. ``values`` are all values of a text, where they are
    known; ``worst_first`` those of them that have an order. ``history``: the value of every day is kept. ``change_of``
    names the field whose change in 28 days this is.
    """

    name: str
    label: str
    kind: Literal["number", "text", "moment"] = "number"
    values: tuple[str, ...] = ()
    worst_first: tuple[str, ...] = ()
    unit: str = ""
    history: bool = False
    change_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How the summary of a run counts the values of a field.

    ``first`` are the values that are shown even when no account has them; the others follow if ``other_values``,
    without those in ``hidden``. ``key`` is the name of the counts in JSON.
    """

    key: str
    field: str
    first: tuple[str, ...] = ()
    other_values: bool = True
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSpec:
    """The declaration of one score.

    ``score`` takes the settings of the block, the account's fields now and 28 days ago (None if there are none), its
    `worker.scores.memory.ScoreMemory` and the moment; it returns a `worker.scores.result.ScoreResult` and the memory
    for the next run. ``unknown`` is the result while config/scores.yaml has no such block. ``rank`` says who comes
    first when limits leave some accounts out: those with the ``highest`` or the ``lowest`` value of ``rank_field``.
    ``better``: which values of ``rank_field`` are the better ones.
    """

    name: str
    label: str
    about: str
    settings: type[Strict]
    fields: tuple[ScoreField, ...]
    score: Callable[..., tuple[Any, Any]]
    unknown: Any
    rank_field: str
    rank: Literal["highest", "lowest"]
    better: Literal["higher", "lower"] = "higher"
    counts: tuple[Count, ...]
    why: Callable[[Fields], str]

    @property
    def comes_first(self) -> Literal["worst", "best"]:
        """Whether the accounts that ``rank`` puts first are the worst or the best."""
        return "worst" if (self.rank == "lowest") == (self.better == "higher") else "best"

    @property
    def prefixes(self) -> frozenset[str]:
        """What stands before the dot in the names of the fields."""
        return frozenset(field.name.split(".")[0] for field in self.fields)


@cache
def score_specs() -> tuple[ScoreSpec, ...]:
    """The declarations of all scores, in the order of `SCORES`."""
    return tuple(import_module(f"worker.scores.{name}").SPEC for name in SCORES)


def spec_of(field: str) -> ScoreSpec | None:
    """The score that a field belongs to, by the prefix of its name; None for a field of no score."""
    return next((spec for spec in score_specs() if field.split(".")[0] in spec.prefixes), None)


@cache
def score_fields() -> Mapping[str, ScoreField]:
    """Every field of every score, by name."""
    return {field.name: field for spec in score_specs() for field in spec.fields}
