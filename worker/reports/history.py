"""``plgsync history``: who wrote which field or task of a record, when, in which run and why, from the ledger."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from connectors.clock import now
from worker.language.suggest import suggestion
from worker.reports.explain import find_account
from worker.reports.names import (
    LATELY,
    UnknownName,
    account_ids,
    accounts_named,
    destination_names,
    only_one,
    record_ids,
    require_known,
)
from worker.reports.reader import Reader
from worker.settings.project import Project
from worker.signals.errors import SourceError, StaleData
from worker.store.ledger import effects_of
from worker.store.state import last_as_of
from worker.store.subjects import Subject, subject_of
from worker.store.tables import ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One CRM field of an effect. ``name`` is ours, ``by`` the score, measurement or playbook that wrote it.

    ``accounts`` are some of the ``account_count`` accounts that the value comes from, where several share the record.
    """

    field: str
    name: str
    old: Any
    old_known: bool
    new: Any
    by: str
    because: str
    accounts: tuple[str, ...] = ()
    account_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One intended write and its answer; ``as_of`` and ``config_version`` are those of its run.

    ``members``: how many accounts shared the record; 0 where it was of one.
    """

    at: float
    destination: str
    kind: str
    account_id: str
    record_id: str | None
    crm_id: str | None
    key: str
    run_id: str
    as_of: str
    config_version: str
    playbook_id: str
    event: str
    because: str
    task: str
    fields: tuple[Written, ...]
    status: str
    code: str
    reason: str
    members: int = 0

    def to_json(self) -> dict[str, Any]:
        """The effect as JSON."""
        return asdict(self)


def read_history(reader: Reader, record: str, *, field: str | None, limit: int) -> list[Effect]:
    """The newest effects on a CRM record (id or address), a task (key or id) or an account, newest first.

    ``field`` is a CRM field or our name of it. An account is found by the name or domain that was written into a CRM;
    another name needs valid settings and the product data. Raises `UnknownName`, `CommandError` for several accounts.
    """
    with reader.engine.begin() as connection:
        names = _crm_fields(connection, reader.project, field) if field else ()
        subject = subject_of(record, destination_names(connection, reader.project))
        rows = effects_of(connection, subject, names, limit)
        if rows or effects_of(connection, subject, (), 1):
            return [_effect(row, names) for row in rows]
        ids = account_ids(connection) | record_ids(connection)
        if ids & set(subject.ids):
            return []
        by_name, last = accounts_named(connection, record), last_as_of(connection)
    account = only_one(record, by_name) if by_name else _of_product(reader, record, ids, last)
    with reader.engine.begin() as connection:
        rows = effects_of(connection, Subject((account,), subject.destinations), names, limit)
    return [_effect(row, names) for row in rows]


def _of_product(reader: Reader, name: str, ids: Collection[str], last: str | None) -> str:
    """The account of a name that only the product data knows, as of the last run."""
    try:
        if reader.project:
            return find_account(reader.project, name, datetime.fromisoformat(last) if last else now())
        lacking = reader.problem
    except (SourceError, StaleData) as error:
        lacking = f"the product data cannot be read: {error}"
    raise UnknownName(
        f'the state database knows no account, record or task "{name}"{suggestion(name, ids)}; '
        f"other names of accounts are in the product data only: {lacking}"
    )


def _crm_fields(connection: Connection, project: Project | None, field: str) -> tuple[str, ...]:
    """The CRM fields that a name means in any destination, by the settings and by what was written lately."""
    pairs = _written_lately(connection)
    for destination in project.crm.destinations.values() if project else ():
        pairs |= {(ours, entry.field) for ours, entry in destination.fields.items()}
        pairs.add(("", destination.account.match_field))
    known = {name for pair in pairs for name in pair if name}
    if field not in known and not _was_written(connection, field):
        require_known("field", field, known)
    return tuple(sorted({theirs for ours, theirs in pairs if ours == field} | {field}))


def _written_lately(connection: Connection) -> set[tuple[str, str]]:
    newest = select(ledger.c.reasons).order_by(ledger.c.id.desc()).limit(LATELY)
    return {
        (entry.get("name", ""), theirs)
        for reasons in connection.execute(newest).scalars()
        for theirs, entry in reasons.get("fields", {}).items()
    }


def _was_written(connection: Connection, field: str) -> bool:
    wrote = ledger.c.reasons["fields"][field].as_string().is_not(None)
    return connection.execute(select(ledger.c.id).where(wrote).limit(1)).first() is not None


def _effect(row: Mapping[str, Any], names: Sequence[str]) -> Effect:
    reasons, operation = row["reasons"], row["operation"]
    return Effect(
        at=row["at"],
        destination=row["destination"],
        kind=row["kind"],
        account_id=row["account_id"],
        record_id=row["record_id"],
        crm_id=row["crm_id"],
        key=row["idem_key"].split(":", 2)[2],
        run_id=row["run_id"],
        as_of=row["as_of"] or "",
        config_version=row["config_version"] or "",
        playbook_id=row["playbook_id"],
        event=row["event"] or "",
        because=reasons.get("because") or row["because"] or "",
        task=_task(row["kind"], operation),
        fields=tuple(_written(operation.get("values", {}), reasons.get("fields", {}), names)),
        status=row["status"],
        code=row["code"],
        reason=row["reason"],
        members=reasons.get("members", 0),
    )


def _task(kind: str, operation: Mapping[str, Any]) -> str:
    if not kind.startswith("task"):
        return ""
    subject = operation.get("subject")
    return f"“{subject}”" if subject else kind.replace("_", " ")


def _written(
    values: Mapping[str, Any], reasons: Mapping[str, Mapping[str, Any]], names: Sequence[str]
) -> Sequence[Written]:
    found = []
    for field, value in values.items():
        why = reasons.get(field, {})
        found.append(
            Written(
                field=field,
                name=why.get("name", ""),
                old=why.get("old"),
                old_known="old" in why,
                new=value,
                by=why.get("by", ""),
                because=why.get("because", ""),
                accounts=tuple(why.get("accounts", ())),
                account_count=why.get("account_count", 0),
            )
        )
    return [one for one in found if not names or one.field in names]
