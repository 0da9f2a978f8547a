"""The names one file may use of another: fields, CRM fields, queues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from worker.settings.score_specs import score_fields

SCORE_FIELDS = frozenset(score_fields())
"""The fields of `worker.scores`."""

SCORE_TEXTS = frozenset(name for name, field in score_fields().items() if field.kind == "text")
"""Those of them that are texts."""

CRM_FIELDS = frozenset({"crm.open_opportunity", "crm.owner_email", "crm.task_status", "crm.matched"})
"""The fields that every destination reads back, whatever is configured under ``read:``."""

TASK_FIELDS = frozenset({"task.status", "task.touched", "task.age_days"})
"""The fields of the playbook's own CRM task of this entry, for playbooks only."""

TEMPLATE_FIELDS = frozenset({"playbook.matched", "playbook.name"})
"""Names that exist only where a playbook's text is filled in."""

TASK_STATUSES = ("open", "in_progress", "completed", "closed", "deleted")
"""``closed``: we closed the CRM task, because its account left the playbook before a person started it."""

FIELD_VALUES: Mapping[str, tuple[str, ...]] = {
    **{name: field.values for name, field in score_fields().items() if field.values},
    "crm.task_status": TASK_STATUSES,
    "task.status": TASK_STATUSES,
}
"""Every value of the texts that are ours, so that a condition cannot wait for one that never comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Every name that exists in this project.

    ``fields`` are the names a condition, expression or template may use, ``template_fields`` what only a template may
    use; ``crm_fields`` are our own names of the CRM fields of ``config/crm.yaml``, of which ``computed_fields`` are
    filled by ``from:`` and so may not be set by a playbook; ``values`` lists the values of a text field, where they are
    known; ``not_text`` are the fields whose values are numbers, times, yes or no; ``windowed_counts`` are the signals
    that count rows or people of some whole days, ``percentages`` those in percent; ``no_parents`` says why no account
    has a parent here.
    """

    fields: frozenset[str] = frozenset()
    template_fields: frozenset[str] = TEMPLATE_FIELDS
    crm_fields: frozenset[str] = frozenset()
    computed_fields: frozenset[str] = frozenset()
    queues: frozenset[str] = frozenset()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    not_text: frozenset[str] = frozenset()
    windowed_counts: frozenset[str] = frozenset()
    percentages: frozenset[str] = frozenset()
    no_parents: str = ""
