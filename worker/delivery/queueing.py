"""A plan becomes outbox rows, in the transaction that stores the run it belongs to."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from worker.delivery.backlog import unsettled_records
from worker.delivery.outbox import NewFields, attach_record, queue_fields, queue_tasks
from worker.delivery.plan import Plan
from worker.delivery.reading import CrmView
from worker.delivery.record_outbox import queue_records


def queue_plan(connection: Connection, views: Sequence[CrmView], plan: Plan, run_id: str) -> None:
    """Queue everything a plan holds; what an earlier plan queued and this one no longer wants is withdrawn."""
    changes = [
        NewFields(c.destination, c.account_id, c.record_id, c.object, {x.field: x.new for x in c.changes})
        for c in plan.records
    ]
    planned = {(change.destination, change.record_id) for change in changes}
    for view in views:
        if view.problem:
            continue
        records = [(one.account_id, one.operation()) for one in plan.new_records if one.destination == view.name]
        queue_records(connection, view.name, records, run_id)
        changes += [
            NewFields(view.name, "", record_id, view.settings.account.object, {})
            for record_id in unsettled_records(connection, view.name)
            if (view.name, record_id) not in planned
        ]
    queue_fields(connection, changes, run_id)
    for change in plan.tasks:
        if change.waiting_row is not None and change.record_id:
            attach_record(connection, change.waiting_row, change.record_id, change.payload)
    queue_tasks(connection, [change.queued() for change in plan.tasks if change.waiting_row is None], run_id)
