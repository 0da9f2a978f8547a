"""A plan becomes outbox rows, in the transaction that stores its run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from sqlalchemy import Connection

from worker.delivery.backlog import unsettled_records
from worker.delivery.outbox import NewFields, attach_record, queue_fields, queue_tasks
from worker.delivery.record_outbox import forget_creations, queue_records
from worker.planning.companies import handed_over
from worker.planning.crm_view import CrmView
from worker.planning.plan import NewRecord, Plan, RecordChange, TaskChange


class WriteReasons(Protocol):
    """Why a run wants each write: JSON that the ledger keeps beside the write."""

    def of_record(self, change: RecordChange) -> dict[str, Any]:
        """Of the fields of one record."""

    def of_new_record(self, record: NewRecord) -> dict[str, Any]:
        """Of a record to make."""

    def of_task(self, task: TaskChange) -> dict[str, Any]:
        """Of one task operation."""


def enqueue_plan(
    connection: Connection,
    views: Sequence[CrmView],
    plan: Plan,
    run_id: str,
    reasons: WriteReasons,
) -> None:
    """Queue every write of a plan, and withdraw what an earlier plan queued and this one does not contain."""
    changes = [
        NewFields(
            c.destination,
            c.account_id,
            c.record_id,
            c.object,
            {x.field: x.new for x in c.changes},
            reasons.of_record(c),
        )
        for c in plan.records
    ]
    planned = {(change.destination, change.record_id) for change in changes}
    for view in views:
        if view.readings.problem:
            continue
        records = [
            (one.account_id, one.operation(), reasons.of_new_record(one))
            for one in plan.new_records
            if one.destination == view.name
        ]
        queue_records(connection, view.name, records, run_id)
        forget_creations(connection, view.name, handed_over(view))
        changes += [
            NewFields(view.name, "", record_id, view.settings.account.object, {})
            for record_id in unsettled_records(connection, view.name)
            if (view.name, record_id) not in planned
        ]
    queue_fields(connection, changes, run_id)
    for change in plan.tasks:
        if change.waiting_row is not None and change.record_id:
            attach_record(connection, change.waiting_row, change.record_id, change.payload, change.no_owner)
    new = [_with_reasons(change, reasons).queued() for change in plan.tasks if change.waiting_row is None]
    queue_tasks(connection, new, run_id)


def _with_reasons(task: TaskChange, reasons: WriteReasons) -> TaskChange:
    return replace(task, context=replace(task.context, reasons=reasons.of_task(task)))
