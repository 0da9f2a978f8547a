"""One CRM as a run sees it: what the store knows of it, and what reading it has added, until it is saved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from connectors.base import Connector, Cursor, DealFact, FieldSpec, Scalar, TaskFact
from worker.delivery.backlog import (
    DecidedTask,
    WaitingTask,
    closing_keys,
    parked_fields,
    tasks_decided_on,
    uncertain_fields,
    waiting_tasks,
)
from worker.delivery.record_outbox import Creation, load_creations
from worker.planning.owners import People
from worker.settings.crm import CrmSettings, DestinationSettings
from worker.store import crm as store
from worker.store.crm import Record, TaskRow
from worker.store.job_results import record_job_result
from worker.store.ledger import unanswered_values


@dataclass(slots=True)
class CrmView:
    """One CRM as this run sees it.

    ``uncertain`` are the values that wait for an answer still, ``unanswered`` those of the last day that never got one,
    and may have been applied after newer ones.
    ``problem`` says why it could not be read; then nothing is planned for it. ``problem_kind`` names the error.
    """

    name: str
    settings: DestinationSettings
    connector: Connector
    records: dict[str, Record]
    snapshot: dict[str, dict[str, Scalar]]
    uncertain: Mapping[str, Mapping[str, Sequence[Scalar]]]
    deals: dict[str, DealFact]
    tasks: dict[str, TaskRow]
    cursor: Cursor
    people: People
    unanswered: Mapping[str, Mapping[str, Sequence[Scalar]]] = field(default_factory=dict)
    specs: Mapping[str, FieldSpec] = field(default_factory=dict)
    waiting: Sequence[WaitingTask] = ()
    decided_today: Sequence[DecidedTask] = ()
    parked: Mapping[str, Mapping[str, Scalar]] = field(default_factory=dict)
    closing: frozenset[str] = frozenset()
    problem: str = ""
    problem_kind: str = ""
    task_facts: Sequence[TaskFact] = ()
    deal_facts: Sequence[DealFact] = ()
    changed: dict[str, Record] = field(default_factory=dict)
    fresh: dict[str, dict[str, Scalar]] = field(default_factory=dict)
    written: dict[str, dict[str, Scalar]] = field(default_factory=dict)
    rewritten: dict[str, dict[str, Scalar]] = field(default_factory=dict)
    creations: Mapping[str, Creation] = field(default_factory=dict)

    def record_of(self, account_id: str) -> Record | None:
        """The matched record of an account, or None."""
        record = self.records.get(account_id)
        return record if record and record.record_id else None


def written_fields(settings: DestinationSettings) -> tuple[str, ...]:
    """The CRM fields we may write, our match field included."""
    return (settings.account.match_field, *(entry.field for entry in settings.fields.values()))


def load_view(connection: Connection, name: str, crm: CrmSettings, connector: Connector, day: str) -> CrmView:
    """What the store knows of one CRM before anything is read from it; ``day`` (``YYYY-MM-DD``) is the run's."""
    tasks = {row.key: row for row in store.load_tasks(connection) if row.destination == name}
    load = Counter(row.owner_id for row in tasks.values() if row.is_open and row.owner_id)
    return CrmView(
        name=name,
        settings=crm.destinations[name],
        connector=connector,
        records=store.load_records(connection, name),
        snapshot=store.load_snapshot(connection, name),
        uncertain=uncertain_fields(connection, name),
        unanswered=unanswered_values(connection, name),
        deals={deal.id: deal for deal in store.load_deals(connection, name)},
        tasks=tasks,
        cursor=store.load_cursor(connection, name),
        people=People((), crm.queues, load),
        waiting=waiting_tasks(connection, name),
        decided_today=tasks_decided_on(connection, name, day),
        parked=parked_fields(connection, name),
        closing=closing_keys(connection, name),
        written=store.load_written(connection, name),
        creations=load_creations(connection, name),
    )


def save_view(connection: Connection, view: CrmView) -> None:
    """Store what was read, in the run's own transaction, and whether it could be."""
    record_job_result(connection, view.name, "crm", view.problem_kind, view.problem)
    if view.problem:
        return
    store.save_records(connection, view.name, view.changed.values())
    store.save_snapshot(connection, view.name, view.fresh)
    store.save_written(connection, view.name, view.rewritten)
    store.save_task_facts(connection, view.name, view.task_facts)
    store.save_deals(connection, view.name, view.deal_facts)
    store.save_cursor(connection, view.name, view.cursor)
