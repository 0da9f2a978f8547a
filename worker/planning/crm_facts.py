"""What the CRMs show of each account, as ``crm.*`` fields; unknown where no CRM can tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime

from worker.language.values import Fields, Value
from worker.planning.crm_view import CrmView
from worker.rules.enrollment import Enrollment, Enrollments
from worker.rules.task_keys import parts_of
from worker.settings.known import TASK_FIELDS
from worker.settings.playbook import Playbook
from worker.store.crm import CLOSED, TaskRow

_TOUCHED = frozenset({"in_progress", "completed", "deleted"})
_MOST_ADVANCED_FIRST = ("completed", "in_progress", "open", CLOSED, "deleted")


class CrmFacts:
    """The views of all CRMs, indexed once per run.

    ``pql_playbooks`` are the playbooks whose tasks show whether a rep works a PQL (``crm.task_status``);
    ``enrollments`` say by playbook and account which entry is the newest.
    """

    def __init__(
        self,
        views: Sequence[CrmView],
        pql_playbooks: frozenset[str],
        enrollments: Enrollments,
    ) -> None:
        self._views = views
        self._enrollments = enrollments
        self._open = {
            view.name: {deal.record_id for deal in view.readings.deals.values() if deal.open and not deal.deleted}
            for view in views
        }
        self._tasks: dict[str, list[TaskRow]] = defaultdict(list)
        self._own: dict[tuple[str, str], list[TaskRow]] = defaultdict(list)
        for view in views:
            for row in view.readings.tasks.values():
                self._own[row.playbook_id, row.account_id].append(row)
                if row.playbook_id in pql_playbooks:
                    self._tasks[row.account_id].append(row)

    def fields(self, account_id: str) -> dict[str, Value]:
        """The ``crm.*`` fields of one account."""
        fields: dict[str, Value] = {
            "crm.matched": any(view.record_of(account_id) for view in self._views) if self._views else None,
            "crm.open_opportunity": self._open_opportunity(account_id),
            "crm.owner_email": self._owner_email(account_id),
            "crm.task_status": self._task_status(account_id),
        }
        for view in self._views:
            record = view.record_of(account_id)
            for name, crm_field in view.settings.read.items():
                value = record.values.get(crm_field) if record else None
                fields[f"crm.{name}"] = fields.get(f"crm.{name}") if value is None else value
        return fields

    def with_tasks(self, playbook: Playbook, accounts: Mapping[str, Fields], as_of: datetime) -> Mapping[str, Fields]:
        """The fields of the accounts with those of the playbook's own tasks, if the playbook reads them."""
        if not any(need.name in TASK_FIELDS for need in playbook.needs()):
            return accounts
        return {
            account_id: {**fields, **self._task_fields(playbook.id, account_id, as_of)}
            for account_id, fields in accounts.items()
        }

    def _task_fields(self, playbook_id: str, account_id: str, as_of: datetime) -> dict[str, Value]:
        """The ``task.*`` fields of an account in a playbook: of this entry's tasks, in every CRM."""
        enrollment = self._enrollments.get(playbook_id, {}).get(account_id)
        inside = enrollment is not None and enrollment.phase == "in" and enrollment.variant == "treated"
        rows = [row for row in self._own.get((playbook_id, account_id), ()) if inside and _is_of_entry(row, enrollment)]
        days = [date.fromisoformat(row.day) for row in rows if row.day]
        return {
            "task.status": _most_advanced(rows),
            "task.touched": any(row.work_status in _TOUCHED for row in rows) if rows else None,
            "task.age_days": max(0, (as_of.astimezone(UTC).date() - min(days)).days) if days else None,
        }

    def _open_opportunity(self, account_id: str) -> bool | None:
        """True when any CRM shows an open deal; false only when every CRM that has the account was read."""
        read, unsure = False, False
        for view in self._views:
            record = view.record_of(account_id)
            if record is None:
                unsure |= bool(view.readings.problem) or _is_ambiguous(view, account_id)
            elif record.record_id in self._open[view.name]:
                return True
            else:
                read, unsure = True, unsure or bool(view.readings.problem)
        return False if read and not unsure else None

    def _owner_email(self, account_id: str) -> str | None:
        for view in self._views:
            record = view.record_of(account_id)
            owner = view.readings.people.active(record.owner_id) if record else None
            if owner:
                return owner.email
        return None

    def _task_status(self, account_id: str) -> str | None:
        """The most advanced status among the tasks of the newest entry into any PQL playbook."""
        rows = self._tasks.get(account_id, [])
        newest = max(((self._entered(row), row.playbook_id, row.entry) for row in rows), default=None)
        return _most_advanced(row for row in rows if newest == (self._entered(row), row.playbook_id, row.entry))

    def _entered(self, row: TaskRow) -> datetime:
        """When the account entered the entry that the task belongs to."""
        enrollment = self._enrollments.get(row.playbook_id, {}).get(row.account_id)
        since = enrollment.entry - row.entry if enrollment else 0
        entries = enrollment.entries if enrollment else ()
        return entries[-1 - since] if 0 <= since < len(entries) else datetime.min.replace(tzinfo=UTC)


def _is_of_entry(row: TaskRow, enrollment: Enrollment | None) -> bool:
    """Whether a task belongs to the present entry: made by it, or an earlier one that was still open when it began."""
    if enrollment is None or row.entry == enrollment.entry or row.is_open:
        return enrollment is not None
    key = parts_of(row.key)
    if key and key.day.isoformat() == enrollment.task_day:
        return True
    if row.completed_at is None or enrollment.entered_at is None:
        return False
    return datetime.fromisoformat(row.completed_at) >= enrollment.entered_at


def _most_advanced(rows: Iterable[TaskRow]) -> str | None:
    statuses = {row.work_status for row in rows}
    return next((status for status in _MOST_ADVANCED_FIRST if status in statuses), None)


def _is_ambiguous(view: CrmView, account_id: str) -> bool:
    record = view.searched(account_id)
    return record is not None and record.status == "ambiguous"
