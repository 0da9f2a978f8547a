"""What people changed since the last read: companies, opportunities and our own tasks, in one call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from connectors.base import (
    AccessDenied,
    CrmFact,
    Cursor,
    DealFact,
    Destination,
    FieldSpec,
    ReadBack,
    RecordFact,
    Scalar,
    TaskFact,
    TaskStatus,
)
from connectors.coerce import coerce
from connectors.salesforce.client import Client, Row
from connectors.salesforce.describe import Schema, values_of
from connectors.salesforce.errors import RequestRejected
from connectors.salesforce.soql import in_chunks, select
from connectors.salesforce.tasks import NOT_STARTED, touched

OVERLAP = timedelta(minutes=5)
"""Changes become visible late and out of order; facts are states, so reading one twice does no harm."""
DEAL = ("Id", "AccountId", "IsClosed", "IsWon", "IsDeleted", "SystemModstamp", "Amount")
TASK = ("Id", "Status", "IsClosed", "IsDeleted", "OwnerId", "CompletedDateTime", "CreatedById", "LastModifiedById")
STREAMS: tuple[str, ...] = ("accounts", "deals")
BEGINNING = "1970-01-01T00:00:00Z"
STAMP = FieldSpec(name="SystemModstamp", type="datetime")

Known = Mapping[str, tuple[str | None, Mapping[str, Scalar]]]
"""Owner and values, by record id, that the caller knows."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads back from one org. The cursor has a watermark for each of ``accounts`` and ``deals``."""

    client: Client
    schema: Schema
    destination: Destination

    def read(self, since: Cursor, fields: Sequence[str], tasks: Mapping[str, str], known: Known) -> ReadBack:
        """See `connectors.base.Connector.read_back`; records that equal ``known`` are left out.

        A stream that this user may not read is logged and its cursor stays; raises `AccessDenied` if none may be read.
        """
        specs = self.schema.fields(self.destination.object)
        rows = self._rows(self._queries(since, [name for name in fields if name in specs], tasks))
        facts: list[CrmFact] = []
        if "accounts" in since:
            facts += _record_facts(rows.get("accounts", ()), specs, fields, known)
        facts += _deal_facts(rows.get("deals" if "deals" in since else "open deals", ()))
        if "tasks" in rows:
            facts += _task_facts(tasks, rows["tasks"])
        moved = {name: _watermark(rows[name], since.get(name)) for name in STREAMS if name in rows}
        return ReadBack(facts, {**since, **moved})

    def _queries(self, since: Cursor, fields: Sequence[str], tasks: Mapping[str, str]) -> list[tuple[str, str]]:
        account = self.destination.object
        columns = ("Id", "IsDeleted", "OwnerId", "SystemModstamp", *fields)
        queries = [
            ("accounts", _changed(columns, account, since.get("accounts"))),
            ("deals", _changed(DEAL, "Opportunity", since.get("deals"))),
        ]
        if "deals" not in since:
            queries.append(("open deals", select(DEAL, "Opportunity", "WHERE IsClosed = false")))
        ours = in_chunks(select(TASK, "Task", "WHERE Id IN "), tasks.values())
        return queries + [("tasks", query) for query in ours]

    def _rows(self, queries: Sequence[tuple[str, str]]) -> dict[str, list[Row]]:
        rows: dict[str, list[Row]] = {}
        unreadable: dict[str, Exception] = {}
        answers = self.client.try_rows_of([query for _, query in queries], deleted=True)
        for (name, query), answer in zip(queries, answers, strict=True):
            if isinstance(answer, RequestRejected) and "'Amount'" in answer.reason:
                answer = self.client.try_rows_of([query.replace(", Amount", "")], deleted=True)[0]
            if isinstance(answer, list):
                rows.setdefault(name, []).extend(answer)
            elif isinstance(answer, RequestRejected | AccessDenied):
                unreadable[name] = answer
                log.warning("salesforce_stream_unreadable", stream=name, reason=str(answer))
            else:
                raise answer
        if unreadable and not rows:
            raise AccessDenied("; ".join(sorted({str(error) for error in unreadable.values()})))
        return {name: some for name, some in rows.items() if name not in unreadable}


def _changed(columns: Sequence[str], object: str, since: str | None) -> str:
    """The rows changed since a watermark; without one, only the newest row, which sets it."""
    if since is None:
        return select(["SystemModstamp"], object, "ORDER BY SystemModstamp DESC LIMIT 1")
    start = (datetime.fromisoformat(since) - OVERLAP).strftime("%Y-%m-%dT%H:%M:%SZ")
    return select(columns, object, "WHERE SystemModstamp >", start, "ORDER BY SystemModstamp, Id")


def _watermark(rows: Iterable[Row], since: str | None) -> str:
    stamps = (str(coerce(STAMP, row["SystemModstamp"])) for row in rows)
    return max([since or BEGINNING, *stamps])


def _record_facts(
    rows: Iterable[Row], specs: Mapping[str, FieldSpec], fields: Sequence[str], known: Known
) -> Iterator[RecordFact]:
    for row in rows:
        if row["IsDeleted"]:
            yield RecordFact(row["Id"], None, {}, deleted=True)
            continue
        values = values_of(row, specs, fields)
        owner, last = known.get(row["Id"], (None, {}))
        if row["OwnerId"] != owner or any(name not in last or last[name] != value for name, value in values.items()):
            yield RecordFact(row["Id"], row["OwnerId"], values)


def _deal_facts(rows: Iterable[Row]) -> Iterator[DealFact]:
    for row in rows:
        if row["AccountId"]:
            is_open, deleted = not row["IsClosed"] and not row["IsDeleted"], bool(row["IsDeleted"])
            yield DealFact(row["Id"], row["AccountId"], is_open, bool(row["IsWon"]), row.get("Amount"), deleted)


def _task_facts(tasks: Mapping[str, str], rows: Iterable[Row]) -> Iterator[TaskFact]:
    """A fact for each of our tasks; a task that is not even in the recycle bin or the archive is deleted."""
    now = {row["Id"]: row for row in rows}
    for key, task_id in tasks.items():
        row = now.get(task_id)
        if row is None or row["IsDeleted"]:
            yield TaskFact(key, task_id, "deleted")
            continue
        done = coerce(STAMP, row["CompletedDateTime"]) if row["IsClosed"] else None
        completed_at = datetime.fromisoformat(str(done)) if done else None
        yield TaskFact(key, task_id, task_status(row), row["OwnerId"], completed_at)


def task_status(row: Row) -> TaskStatus:
    """Orgs can translate status names, so another name than Salesforce's counts only once a person has set it."""
    if row["IsClosed"]:
        return "completed"
    return "in_progress" if row["Status"] != NOT_STARTED and touched(row) else "open"
