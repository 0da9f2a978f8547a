"""The provenance of a run's writes: which score or playbook wants each, and why. The outbox and the ledger keep it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from worker.language.values import Fields
from worker.pipeline.compute import Computed
from worker.planning.plan import NewRecord, RecordChange, TaskChange
from worker.rules.actions import MakeTask
from worker.rules.enrollment import Enrollment
from worker.settings.project import Project
from worker.settings.score_specs import spec_of

MATCH_FIELD = "account id"
_NAMED = 5
"""A reason names so many of the accounts that a value comes from; a company may have thousands."""


class Provenance:
    """The provenance of one run, from its scores and its decisions: the `WriteReasons` of `enqueue_plan`."""

    def __init__(self, project: Project, computed: Computed) -> None:
        self._written = computed.written
        self._fields = {name: one.fields for name, one in project.crm.destinations.items()}
        self._match_fields = {name: one.account.match_field for name, one in project.crm.destinations.items()}
        self._setters = _setters(computed)
        decisions = [decision for run in computed.playbooks.values() for decision in run.decisions]
        self._by_account = {(one.playbook_id, one.account_id): str(one.because) for one in decisions}
        self._by_task = {
            action.key: str(one.because) for one in decisions for action in one.actions if isinstance(action, MakeTask)
        }

    def of_record(self, change: RecordChange) -> dict[str, Any]:
        """By CRM field: our name of it, what writes it, its old value, and the reason of the new one."""
        return {
            **_members(change),
            "fields": {
                one.field: {
                    **self._of_accounts(change.destination, change.account_id, one.name, one.accounts),
                    "old": one.old,
                }
                for one in change.changes
            },
        }

    def of_new_record(self, record: NewRecord) -> dict[str, Any]:
        """By CRM field of a new record, and why the record is created."""
        ours = {entry.field: name for name, entry in self._fields[record.destination].items()}
        match_field = self._match_fields[record.destination]
        return {
            **_members(record),
            "because": "the account has no record in this CRM, and create_missing is on",
            "fields": {
                field: self._of_accounts(
                    record.destination,
                    record.account_id,
                    MATCH_FIELD if field == match_field else ours.get(field, ""),
                    record.sources.get(field, ()),
                )
                for field in record.values
            },
        }

    def of_task(self, task: TaskChange) -> dict[str, Any]:
        """Why a task is created, changed or closed: what its playbook decided in this run."""
        because = self._by_task.get(task.key) or self._by_account.get((task.playbook_id, task.account_id), "")
        if not because and task.kind == "task_close":
            because = "the account left the playbook"
        return {"because": because}

    def _of_accounts(self, destination: str, record: str, name: str, accounts: Sequence[str]) -> dict[str, Any]:
        """The reason of a value; of one that comes from several accounts, that of the first, how many and which."""
        if not accounts:
            return self._of_field(destination, record, name)
        sources = {"account_count": len(accounts), "accounts": list(accounts[:_NAMED])}
        return {**self._of_field(destination, accounts[0], name), **sources}

    def _of_field(self, destination: str, account_id: str, name: str) -> dict[str, Any]:
        entry = self._fields[destination].get(name)
        if name == MATCH_FIELD:
            return {"name": name, "by": name, "because": "the account's id, by which the record is found again"}
        if entry is None:
            return {"name": name, "by": "create", "because": "given to every new record by config/crm.yaml"}
        if entry.from_:
            because = _of_source(entry.from_, self._written.get(account_id, {}))
            return {"name": name, "by": entry.from_, "because": because}
        playbook_id, matched = self._setters.get((account_id, name), ("", "no playbook sets it any more"))
        return {"name": name, "by": playbook_id and f"playbook {playbook_id}", "because": matched}


def _members(written: RecordChange | NewRecord) -> dict[str, int]:
    """How many accounts share the record; nothing where it is of one."""
    return {"members": len(written.members)} if written.members else {}


def _setters(computed: Computed) -> Mapping[tuple[str, str], tuple[str, str]]:
    """By account and our field: the playbook that sets it, and what matched when the account entered."""
    current: dict[tuple[str, str], Enrollment] = {}
    for playbook_id, members in computed.enrollments.items():
        current |= {(playbook_id, account_id): one for account_id, one in members.items()}
    for playbook_id, run in computed.playbooks.items():
        current |= {(playbook_id, account_id): one for account_id, one in run.enrollments.items()}
    return {
        (account_id, name): (playbook_id, one.matched)
        for (playbook_id, account_id), one in current.items()
        for name in one.fields_set
    }


def _of_source(source: str, fields: Fields) -> str:
    """The explanation of a value, in the words of the score it comes from."""
    spec = spec_of(source)
    return spec.why(fields) if spec else "as measured in the product data"
