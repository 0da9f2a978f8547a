"""What people changed: deals, companies and our tasks, each since the last read.

A cursor has HubSpot's own modification time, never our clock. Reading starts a minute before it, because search lags
behind writes, and the cursor has the changes of that minute that are already reported.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from connectors.base import CrmFact, Cursor, DealFact, Destination, ReadBack, RecordFact, TaskFact, TaskStatus
from connectors.base.values import finite_number
from connectors.hubspot import search
from connectors.hubspot.associations import associated
from connectors.hubspot.client import Client
from connectors.hubspot.describe import TASKS, Schema
from connectors.hubspot.match import OWNER
from connectors.hubspot.records import Record, read_batch
from connectors.hubspot.tasks import STATUS

DEALS = "deals"
CHANGED = "hs_lastmodifieddate"
CLOSED = "hs_is_closed"
WON = "hs_is_closed_won"
COMPLETED_AT = "hs_task_completion_date"
OVERLAP = timedelta(seconds=60)
TICK = timedelta(milliseconds=1)
BY_AN_APP = "INTEGRATION"

_DEAL_FIELDS = (CHANGED, CLOSED, WON, "amount")
_TASK_STATUSES: Mapping[str, TaskStatus] = {
    "NOT_STARTED": "open",
    "COMPLETED": "completed",
}


@dataclass(slots=True)
class _Stream:
    """The position in one stream: the newest change, the reported changes of its last minute, and open deals."""

    at: str = ""
    reported: dict[str, str] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, cursor: Cursor, name: str) -> _Stream:
        stored = json.loads(cursor.get(name, "{}"))
        return cls(stored.get("at", ""), stored.get("told", {}), stored.get("open", {}))

    def to_json(self) -> str:
        stored = {"at": self.at, "told": self.reported, "open": self.open}
        return json.dumps(stored, sort_keys=True, separators=(",", ":"))


def read_back(
    client: Client,
    schema: Schema,
    destination: Destination,
    since: Cursor,
    fields: Sequence[str],
    tasks: Mapping[str, str],
) -> ReadBack:
    """The facts since a cursor, and the cursor to read from next time."""
    companies, deals = _Stream.from_json(since, "companies"), _Stream.from_json(since, DEALS)
    facts: list[CrmFact] = [*_deal_facts(client, destination, deals)]
    facts += _company_facts(client, schema, destination, companies, fields)
    facts += _task_facts(client, tasks)
    return ReadBack(facts, {"companies": companies.to_json(), DEALS: deals.to_json()})


# ---------------------------------------------------------------------------- companies


def _company_facts(
    client: Client, schema: Schema, destination: Destination, stream: _Stream, fields: Sequence[str]
) -> list[RecordFact]:
    first, start, reported = not stream.at, _start(stream), stream.reported
    changed = [record.id for record in _changed(client, destination.object, stream, ())]
    if first or not changed:
        return []
    wanted = [*fields, OWNER]
    records = read_batch(client, destination.object, changed, wanted, history=[*wanted, destination.match_field])
    facts = [RecordFact(gone, None, {}, deleted=True) for gone in changed if gone not in records]
    for record in records.values():
        since = moment(reported[record.id]) + TICK if record.id in reported else start
        if _changed_by_others(record, wanted, destination.match_field, since):
            values = schema.canonical(destination.object, record.properties, fields)
            facts.append(RecordFact(record.id, record.properties.get(OWNER) or None, values))
    return facts


def _changed_by_others(record: Record, fields: Iterable[str], match_field: str, since: datetime) -> bool:
    """Whether anyone but the app that set our account id on the record set a field from ``since`` on."""
    stamped = record.history.get(match_field) or [{}]
    us = (BY_AN_APP, stamped[0].get("sourceId"))
    return any(
        (entry.get("sourceType"), entry.get("sourceId")) != us
        for name in fields
        for entry in record.history.get(name) or []
        if moment(str(entry.get("timestamp"))) >= since
    )


# ---------------------------------------------------------------------------- deals


def _deal_facts(client: Client, destination: Destination, stream: _Stream) -> list[DealFact]:
    first = not stream.at
    changed = {record.id: record for record in _changed(client, DEALS, stream, _DEAL_FIELDS)}
    if first:
        still_open = search.every(client, DEALS, [search.compare(CLOSED, "EQ", "false")], _DEAL_FIELDS)
        changed = {record.id: record for record in still_open}
    # Search does not find deleted deals. Known open deals are read by id, which is also ahead of search.
    unseen = [known for known in stream.open if known not in changed]
    now = read_batch(client, DEALS, unseen, _DEAL_FIELDS)
    changed |= {record.id: record for record in now.values() if not _open(record)}
    companies = associated(client, DEALS, destination.object, list(changed))
    facts = [_gone(known, stream.open.pop(known)) for known in unseen if known not in now]
    for deal in changed.values():
        company = next(iter(companies.get(deal.id, ())), None)
        before = stream.open.pop(deal.id, None)
        if company is None:
            facts += [_gone(deal.id, before)] if before else []
            continue
        facts.append(DealFact(deal.id, company, _open(deal), deal.properties.get(WON) == "true", _amount(deal)))
        if _open(deal):
            stream.open[deal.id] = company
    return facts


def _gone(deal_id: str, company: str) -> DealFact:
    return DealFact(deal_id, company, open=False, won=False, deleted=True)


def _open(record: Record) -> bool:
    return record.properties.get(CLOSED) != "true" and record.properties.get(WON) != "true"


def _amount(record: Record) -> float | None:
    try:
        amount = float(record.properties.get("amount") or "")
    except ValueError:
        return None
    return amount if finite_number(amount) else None


# ---------------------------------------------------------------------------- tasks


def _task_facts(client: Client, tasks: Mapping[str, str]) -> list[TaskFact]:
    """A fact per task, read by id: a hundred per call, strongly consistent; a deleted task is not found."""
    records = read_batch(client, TASKS, tasks.values(), [STATUS, OWNER, COMPLETED_AT])
    return [_task_fact(key, task_id, records.get(task_id)) for key, task_id in tasks.items()]


def _task_fact(key: str, task_id: str, record: Record | None) -> TaskFact:
    if record is None:
        return TaskFact(key, task_id, "deleted")
    return TaskFact(key, task_id, task_status(record), record.properties.get(OWNER) or None, completed_at(record))


def task_status(record: Record) -> TaskStatus:
    """The status of a living task."""
    return _TASK_STATUSES.get(str(record.properties.get(STATUS)), "in_progress")


def completed_at(record: Record) -> datetime | None:
    """When a task was completed: while it is open, HubSpot may have its due date in this property."""
    completed = record.properties.get(COMPLETED_AT) if task_status(record) == "completed" else None
    return moment(completed) if completed else None


# ---------------------------------------------------------------------------- streams


def _changed(client: Client, object: str, stream: _Stream, fields: Sequence[str]) -> list[Record]:
    """Records modified since the position and not reported yet; moves the position."""
    since = [search.compare(CHANGED, "GTE", _stamp(_start(stream)))] if stream.at else []
    found, complete = search.newest(client, object, since, [*fields, CHANGED])
    if not found:
        return []
    end = moment(_modified(found[0]))
    if not complete and (stream.at or moment(_modified(found[-1])) >= end - OVERLAP):
        start = since or [search.compare(CHANGED, "GTE", _stamp(end - OVERLAP))]
        found = list(search.every(client, object, start, [*fields, CHANGED]))
    reported = stream.reported
    stream.reported = {r.id: _modified(r) for r in found if moment(_modified(r)) >= end - OVERLAP}
    stream.at = end.isoformat()
    return [record for record in found if reported.get(record.id) != _modified(record)]


def _start(stream: _Stream) -> datetime:
    return moment(stream.at) - OVERLAP if stream.at else datetime.min.replace(tzinfo=UTC)


def _modified(record: Record) -> str:
    return str(record.properties.get(CHANGED))


def _stamp(moment: datetime) -> str:
    return str(int(moment.timestamp() * 1000))


def moment(text: str) -> datetime:
    """A time as HubSpot writes it: ISO 8601, or milliseconds since 1970."""
    if text.isdigit():
        return datetime.fromtimestamp(int(text) / 1000, UTC)
    return datetime.fromisoformat(text)
