"""One account in each CRM, as of the last run: its record, its tasks, and the outbox rows that concern it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, select

from worker.delivery.row_state import StoredState
from worker.delivery.task_context import TaskContext
from worker.planning.crm_view import CrmView
from worker.planning.desired import combined_values
from worker.settings.combining import combine_of
from worker.settings.crm_fields import Combine
from worker.store.crm import CREATED, GONE, TaskRow
from worker.store.ledger import OF_RECORDS
from worker.store.shares import Share
from worker.store.tables import ledger, outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedEffect:
    """One outbox row of the account, or a task in the CRM whose row is gone.

    ``no_person`` says why a task names no person; ``words`` are the CRM's answer, or the status of the task there.
    """

    kind: str
    state: str
    object: str
    playbook_id: str
    subject: str
    no_person: str
    words: str


@dataclass(frozen=True, slots=True)
class SharedValue:
    """One field of a record that several accounts share: ours and the CRM's name, how it is made, and of which."""

    name: str
    field: str
    combine: Combine
    accounts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountInCrm:
    """One account in one CRM. ``links`` are the URLs of its record, or of every record it might be.

    ``members`` are the accounts that share the record, the top one first; empty when it is the account's own.
    ``shared`` says where the values of such a record come from; ``spare`` is the URL of a record of its own that the
    account has beside it. ``rivals`` are other accounts that claim a record it might be.
    """

    destination: str
    status: str
    object: str
    links: tuple[str, ...]
    matched_by: str
    effects: tuple[QueuedEffect, ...]
    members: tuple[str, ...] = ()
    shared: tuple[SharedValue, ...] = ()
    spare: str = ""
    rivals: tuple[str, ...] = ()


def account_in_crms(engine: Engine, views: Sequence[CrmView], account_id: str) -> tuple[AccountInCrm, ...]:
    """The account in every CRM, from the state database alone: no CRM is called."""
    with engine.begin() as connection:
        effects = [tuple(_effects(connection, view, account_id)) for view in views]
    # Outside the transaction: for a link a connector may read its journal, which is in the same database.
    return tuple(_account_in_crm(view, account_id, of_view) for view, of_view in zip(views, effects, strict=True))


def _account_in_crm(view: CrmView, account_id: str, effects: tuple[QueuedEffect, ...]) -> AccountInCrm:
    record = view.searched(account_id)
    ids = () if record is None else (record.record_id,) if record.record_id else record.candidates
    by = "" if record is None else {CREATED: "made by us", GONE: ""}.get(record.matched_by, record.matched_by)
    gone = record is not None and record.matched_by == GONE
    company = view.company_of(account_id)
    shares = {a: one for a, one in view.readings.shares.items() if one.company == company}
    claims, own = view.claims(), view.readings.records.get(account_id)
    return AccountInCrm(
        destination=view.name,
        status="not looked for yet" if record is None else "deleted" if gone else record.status,
        object=(record.object if record else "") or view.settings.account.object,
        links=tuple(view.connector.record_url(one) for one in ids if one),
        matched_by=by,
        effects=effects,
        members=tuple(sorted(shares, key=lambda a: (a != company, a))),
        shared=tuple(_shared_values(view, company, shares)) if shares else (),
        spare=view.connector.record_url(own.record_id) if own and own.record_id and company != account_id else "",
        rivals=tuple(sorted({rival for one in ids if one for rival in claims[one]} - {company, *shares})),
    )


def _shared_values(view: CrmView, company: str, shares: Mapping[str, Share]) -> Iterator[SharedValue]:
    for name, made in combined_values(view.settings, company, shares).items():
        entry = view.settings.fields[name]
        yield SharedValue(name, entry.field, combine_of(entry) or "top", made.accounts)


def _effects(connection: Connection, view: CrmView, account_id: str) -> list[QueuedEffect]:
    of_record = (outbox.c.account_id == view.company_of(account_id)) & outbox.c.kind.in_(OF_RECORDS)
    concerns = (outbox.c.account_id == account_id) | of_record
    query = select(outbox).where(outbox.c.destination == view.name, concerns)
    rows = [dict(row) for row in connection.execute(query.order_by(outbox.c.id)).mappings()]
    made = {row["idem_key"] for row in rows}
    of_account = (task for task in view.readings.tasks.values() if task.account_id == account_id)
    older = {key: task for task in of_account if (key := f"task_create:{view.name}:{task.key}") not in made}
    return [*_delivered(connection, older), *_queued(rows)]


def _delivered(connection: Connection, tasks: Mapping[str, TaskRow]) -> Iterator[QueuedEffect]:
    """Tasks by outbox key whose rows are gone, with their subjects as far as the ledger still holds them."""
    sent = select(ledger.c.idem_key, ledger.c.operation).where(ledger.c.idem_key.in_(list(tasks)))
    subjects = {key: str(operation.get("subject", "")) for key, operation in connection.execute(sent)}
    for key, task in sorted(tasks.items(), key=lambda item: (item[1].playbook_id, item[1].entry, item[0])):
        yield QueuedEffect(
            kind="task_create",
            state=StoredState.DONE,
            object="",
            playbook_id=task.playbook_id,
            subject=subjects.get(key, ""),
            no_person="",
            words=f"{task.status.replace('_', ' ')} in the CRM",
        )


def _queued(rows: Iterable[Mapping[str, Any]]) -> list[QueuedEffect]:
    return [
        QueuedEffect(
            kind=row["kind"],
            state=row["state"],
            object=str(row["payload"].get("object", "")),
            playbook_id=row["playbook_id"],
            subject=str(row["payload"].get("subject", "")),
            no_person=TaskContext.from_json(row["context"]).no_person,
            words=" ".join(part for part in (row["last_code"], row["last_reason"]) if part),
        )
        for row in rows
    ]
