"""The fields of every account at earlier moments: by the data of then, today's settings and today's CRM facts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from worker.language.values import Fields
from worker.pipeline.measure import measure, score
from worker.planning.crm_facts import CrmFacts
from worker.rules.adopted import Evaluations
from worker.rules.transitions import evaluate
from worker.scores import ScoreMemory
from worker.settings.playbook import Playbook
from worker.settings.project import Project
from worker.signals.errors import StaleData
from worker.telemetry.steps import report_step

_MOST_MOMENTS = 8


class PastFields:
    """Measures each moment once, when it is first asked for. Score memory is carried from one moment to the next."""

    def __init__(self, project: Project, facts: CrmFacts) -> None:
        self._project, self._facts = project, facts
        self._found: dict[datetime, Mapping[str, Fields]] = {}
        self._memories: dict[str, ScoreMemory] = {}

    def at(self, moment: datetime) -> Mapping[str, Fields]:
        """The fields by account; none where the data of that moment cannot be believed."""
        if moment not in self._found:
            report_step(f"looking at the data of {moment:%Y-%m-%d}")
            self._found[moment] = self._measured(moment)
        return self._found[moment]

    def _measured(self, moment: datetime) -> Mapping[str, Fields]:
        try:
            measured = measure(self._project, moment, None, None)
        except StaleData:
            return {}
        fields = {a: {**row, **self._facts.fields(a)} for a, row in measured.now.items()}
        scored = score(self._project, fields, measured, self._memories, moment)
        self._memories.update({a: one.memory for a, one in scored.items()})
        return fields

    def evaluations(self, playbook: Playbook, account_id: str, moments: list[datetime]) -> Evaluations:
        """What the conditions of a playbook were for an account, at those of the moments at which it is known."""
        return [(m, evaluate(playbook, fields)) for m in moments if (fields := self.at(m).get(account_id)) is not None]


def moments_between(first: datetime, last: datetime) -> list[datetime]:
    """Some moments after ``first`` and before ``last``, whole days apart, oldest first. Each costs a query."""
    days = (last - first).days
    step = max(1, -(-days // _MOST_MOMENTS))
    return [last - timedelta(days=back) for back in range(step, days + 1, step)][::-1]
