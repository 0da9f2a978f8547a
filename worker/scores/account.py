"""All scores of one account, and what to remember of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from worker.language.values import Fields, Value
from worker.scores.memory import ScoreMemory
from worker.settings.base import Strict
from worker.settings.score_specs import score_specs


@dataclass(frozen=True, slots=True)
class Scored:
    """Everything the scores say of one account, by the name of the score, and the memory for the next run."""

    results: Mapping[str, Any]
    memory: ScoreMemory

    def __getitem__(self, score: str) -> Any:
        return self.results[score]

    def fields(self) -> dict[str, Value]:
        """The scores by the names conditions, templates and CRM fields use. Unknown is None."""
        return {name: value for result in self.results.values() for name, value in result.fields().items()}

    def written_fields(self, fields: Fields) -> Fields:
        """The fields of the account as the plan writes them: playbooks decide on ``fields``, which change faster."""
        held = {name: value for result in self.results.values() for name, value in result.kept_fields().items()}
        return {**fields, **held} if any(fields.get(name) != value for name, value in held.items()) else fields


def score_account(settings: Strict, now: Fields, then: Fields | None, memory: ScoreMemory, as_of: datetime) -> Scored:
    """Scores one account as of an aware UTC moment, by the blocks of config/scores.yaml.

    ``then`` holds the same account's fields as of 28 days earlier, None when there are none. The result depends
    on nothing else; holds, clocks and counters advance only when ``as_of`` is later than the memory's, so a
    second call with the memory of the first changes nothing. An earlier ``as_of`` leaves the memory as it is.
    """
    back = memory.as_of is not None and as_of < memory.as_of
    after = replace(memory, published={}) if back else memory
    results = {}
    for spec in score_specs():
        block = getattr(settings, spec.name)
        results[spec.name] = spec.unknown
        if block is not None:
            results[spec.name], after = spec.score(block, now, then, after, as_of)
    return Scored(results, memory if back else replace(after, as_of=as_of))
