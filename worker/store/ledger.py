"""The ledger: every effect ever attempted, with the run and the reasons behind it and the CRM's answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, or_, select, union

from worker.store.engine import database_time, db_now
from worker.store.subjects import Subject
from worker.store.tables import decisions, ledger, record_shares, runs

_ON_RECORDS = ("fields", "record_create", "task_create")
"""Kinds whose ``record_id`` is the account's record; that of the others is a task."""
OF_RECORDS = ("fields", "record_create")
"""Kinds that write the record itself, for every account that shares it."""
_MAY_BE_LATE_S = 86_400.0
_OF_TASKS = ("task_create", "task_update", "task_close")


def record_effects(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append effects; nothing in the ledger is ever changed."""
    appended = list(rows)
    if appended:
        at = database_time(connection)
        connection.execute(insert(ledger), [{**row, "at": at} for row in appended])


def unanswered_values(connection: Connection, destination: str) -> dict[str, dict[str, list[Any]]]:
    """By record and field, the values that were sent during the last day and got no answer."""
    sent = connection.execute(
        select(ledger.c.record_id, ledger.c.operation).where(
            ledger.c.at > db_now() - _MAY_BE_LATE_S,
            ledger.c.destination == destination,
            ledger.c.kind == "fields",
            ledger.c.status == "unknown",
        )
    )
    found: dict[str, dict[str, list[Any]]] = {}
    for record_id, operation in sent:
        for name, value in operation["values"].items():
            found.setdefault(record_id, {}).setdefault(name, []).append(value)
    return found


def effects_of(
    connection: Connection, subject: Subject, fields: Sequence[str], limit: int
) -> Sequence[Mapping[str, Any]]:
    """The newest effects on a record, a task or an account, each with its run and the decision behind it.

    With ``fields`` only effects that wrote one of these CRM fields.
    """
    wrote = [ledger.c.reasons["fields"][name].as_string().is_not(None) for name in fields]
    found = (
        select(ledger, runs.c.as_of, runs.c.config_version, decisions.c.event, decisions.c.because)
        .outerjoin(runs, runs.c.id == ledger.c.run_id)
        .outerjoin(decisions, decisions.c.id == _decision_behind())
        .where(ledger.c.id.in_(_concerned(subject)), *([or_(*wrote)] if wrote else []))
        .order_by(ledger.c.id.desc())
        .limit(limit)
    )
    return [dict(row) for row in connection.execute(found).mappings()]


def _decision_behind() -> Any:
    """The decision that the playbook of an effect made on its account in its run."""
    return (
        select(func.max(decisions.c.id))
        .where(
            decisions.c.run_id == ledger.c.run_id,
            decisions.c.account_id == ledger.c.account_id,
            decisions.c.playbook_id == ledger.c.playbook_id,
        )
        .correlate(ledger)
        .scalar_subquery()
    )


def _concerned(subject: Subject) -> Any:
    """The effects that concern a subject; each part of the union is one index lookup.

    A record's effects are also those on its account in the same CRM, before records were merged or one was made;
    a task's are its making, changes and closing. An account's are also those on the record that it shares.
    """
    ids = subject.ids
    on, other = ledger.alias("on_record"), ledger.alias("of_account")
    same_account = (
        select(other.c.id)
        .join(on, (on.c.destination == other.c.destination) & (on.c.account_id == other.c.account_id))
        .where(on.c.record_id.in_(ids), on.c.kind.in_(_ON_RECORDS))
    )
    shared = (
        select(ledger.c.id)
        .join(record_shares, record_shares.c.destination == ledger.c.destination)
        .where(record_shares.c.account_id.in_(ids), ledger.c.account_id == record_shares.c.company)
        .where(ledger.c.kind.in_(OF_RECORDS))
    )
    keys = [f"{kind}:{name}:{one}" for kind in _OF_TASKS for name in subject.destinations for one in ids]
    return union(
        select(ledger.c.id).where(ledger.c.account_id.in_(ids)),
        select(ledger.c.id).where(ledger.c.record_id.in_(ids)),
        select(ledger.c.id).where(ledger.c.crm_id.in_(ids)),
        select(ledger.c.id).where(ledger.c.idem_key.in_(keys)),
        same_account,
        shared,
    )
