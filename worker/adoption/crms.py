"""What is read from each CRM for adoption: everything afresh, and whose it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from connectors.base import OurTask, Scalar
from worker.adoption.whose import TasksInCrm, tasks_in_crm
from worker.planning.crm_view import CrmView, StoredCrm, crm_view
from worker.settings.playbook import Playbook
from worker.settings.project import Project
from worker.store.crm import GONE, unmatched
from worker.telemetry.steps import report_step

_EMPTIED = ""
"""What we wrote last into a field that a person has emptied since: no CRM shows it, so that the field is not ours."""
_EMPTY = (None, "")


@dataclass(slots=True, kw_only=True)
class CrmContents:
    """What of ours is in one CRM. ``unsure``: fields of which the CRM does not say who wrote them, by CRM field."""

    view: CrmView
    tasks: TasksInCrm
    deleted: int = 0
    ours: int = 0
    unsure: Mapping[str, int]

    @property
    def records(self) -> int:
        """How many accounts have a record there."""
        return sum(1 for record in self.view.readings.records.values() if record.record_id)

    def set_by_playbooks(self, accounts: Iterable[str]) -> dict[str, dict[str, Scalar]]:
        """By account, what is in the fields that only playbooks fill; nothing of empty ones.

        Where accounts share a record, None stands for what it holds: it may be of another account of the company.
        """
        names = {name: one.field for name, one in self.view.settings.fields.items() if one.from_ is None}
        shared, found = self.view.settings.account.record == "parent", dict[str, dict[str, Scalar]]()
        for account_id in accounts:
            record = self.view.record_of(account_id)
            values = self.view.readings.snapshot.get(record.record_id or "", {}) if record else {}
            filled = {name: values[own] for name, own in names.items() if values.get(own) not in _EMPTY}
            if filled:
                found[account_id] = dict.fromkeys(filled) if shared else filled
        return found


def afresh(view: CrmView) -> CrmView:
    """The view of a CRM of which nothing is known but what we wrote, so that reading it reads everything."""
    was = view.stored
    stored = StoredCrm(written=was.written, shares=was.shares, attempted=was.attempted, unanswered=was.unanswered)
    return crm_view(
        view.name, view.settings, view.connector, stored, view.readings.people, view.shared_domains, view.project_ids
    )


def read_contents(
    view: CrmView, project: Project, playbooks: Iterable[Playbook], accounts: Collection[str]
) -> CrmContents:
    """What of ours is in a CRM whose records have been read; notes in the view which values and records are ours.

    Raises `CallFailed`, also where our user may not see our tasks.
    """
    has_tasks = view.settings.tasks is not None and view.settings.tasks.enabled
    report_step(f"reading our tasks in {view.name}")
    tasks: Iterable[OurTask] = view.connector.our_tasks() if has_tasks else ()
    found = tasks_in_crm(view.name, tasks, project.crm.project_ids, playbooks, accounts)
    ours, unsure = _note_writers(view)
    return CrmContents(view=view, tasks=found, deleted=_note_deleted(view), ours=ours, unsure=unsure)


def _note_writers(view: CrmView) -> tuple[int, dict[str, int]]:
    """Note what we wrote of the fields that stop being written once a person changes or empties them."""
    guarded = [one.field for one in view.settings.fields.values() if one.write == "if_ours"]
    guarded = [name for name in guarded if name in view.readings.specs]
    if not guarded or not view.readings.snapshot:
        return 0, {}
    report_step(f"reading who wrote our fields in {view.name}")
    writers = view.connector.field_writers(sorted(view.readings.snapshot), guarded)
    ours, unsure = 0, dict.fromkeys(guarded, 0)
    for record_id, values in view.readings.snapshot.items():
        written = dict(view.readings.written.get(record_id, {}))
        for name in guarded:
            value, by_us = values.get(name), writers.get(record_id, {}).get(name)
            if by_us or (value is not None and value in _unanswered(view, record_id, name)):
                written[name], ours = value, ours + 1
            elif value is None and by_us is False:
                written[name] = _EMPTIED
            elif value is not None and by_us is None and written.get(name) != value:
                unsure[name] += 1
        view.readings.written[record_id] = written
    return ours, {name: count for name, count in unsure.items() if count}


def _unanswered(view: CrmView, record_id: str, name: str) -> list[Scalar]:
    """The values that an older state had sent without an answer."""
    sent = (view.stored.attempted, view.stored.unanswered)
    return [value for one in sent for value in one.get(record_id, {}).get(name, ())]


def _note_deleted(view: CrmView) -> int:
    """Note the records that a person deleted, so that none is made again; answers how many."""
    noted = 0
    report_step(f"reading deleted records in {view.name}")
    deleted = {one.account_id: one.record_id for one in view.connector.deleted_records()}
    for account_id, record_id in deleted.items():
        if view.record_of(account_id) is None:
            gone = replace(unmatched(account_id), matched_by=GONE, candidates=(record_id,))
            view.readings.records[account_id], noted = gone, noted + 1
    return noted
