"""What of ours the org has: tasks with a key of ours, and deleted records with an account id of ours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from simple_salesforce.format import format_soql

from connectors.base import DeletedRecord, Destination, OurTask
from connectors.coerce import coerce
from connectors.salesforce.client import Client, Row
from connectors.salesforce.follow import PREFIXES, follow_merges
from connectors.salesforce.read_back import STAMP, TASK, task_status
from connectors.salesforce.soql import select
from connectors.salesforce.tasks import touched

NEWEST_FIRST = "ORDER BY CreatedDate DESC, Id DESC"
SAME_SAVE = timedelta(seconds=1)


def our_tasks(client: Client, destination: Destination, starts_with: str, newest: int | None) -> list[OurTask]:
    """Every task with such a key, archived and deleted ones included, the last created first.

    Two calls for 1,000 tasks on 1,000 records, one call more for each further 2,000 tasks. ``queryAll`` reads what is
    archived or in the recycle bin:
    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_queryall.htm
    """
    if destination.tasks is None:
        return []
    key = destination.tasks.key_field
    where = format_soql("WHERE {:literal} LIKE '{:like}%'", key, starts_with) if starts_with else f"WHERE {key} != null"
    columns = (*TASK, key, "WhatId", "WhoId", "AccountId", "CreatedDate", "LastModifiedDate")
    limit = () if newest is None else (f"LIMIT {int(newest)}",)
    rows = client.rows(select(columns, "Task", where, NEWEST_FIRST, *limit), deleted=True)
    homes = [_home(row, destination.object) for row in rows]
    survivors = _survivors(client, destination.object, filter(None, homes))
    return [
        _our_task(row, key, (survivors.get(home, home),) if home else ()) for row, home in zip(rows, homes, strict=True)
    ]


def deleted_records(client: Client, destination: Destination) -> list[DeletedRecord]:
    """Records with an account id that are in the recycle bin: for 15 days, or until a person empties it.

    One call for 2,000 records, and one for the survivors of merges. A merge deletes the other records and leaves the
    survivor's id in their MasterRecordId:
    https://developer.salesforce.com/docs/atlas.en-us.apexcode.meta/apexcode/apex_triggers_merge_statements.htm
    https://help.salesforce.com/s/articleView?id=sf.home_delete.htm (the recycle bin)
    """
    kind, field = destination.object, destination.match_field
    masters = ("MasterRecordId",) if kind in PREFIXES.values() else ()
    where = f"WHERE IsDeleted = true AND {field} != null ORDER BY Id"
    rows = client.rows(select(("Id", field, *masters), kind, where), deleted=True)
    survivors = _survivors(client, kind, filter(None, (row.get("MasterRecordId") for row in rows)))
    return [_deleted_record(row, field, survivors) for row in rows]


def _deleted_record(row: Row, field: str, survivors: Mapping[str, str]) -> DeletedRecord:
    master = row.get("MasterRecordId")
    return DeletedRecord(row["Id"], str(row[field]), survivors.get(master, master) if master else None)


def _our_task(row: Row, key: str, record_ids: tuple[str, ...]) -> OurTask:
    status = "deleted" if row["IsDeleted"] else task_status(row)
    completed = status == "completed"
    return OurTask(
        key=row[key],
        task_id=row["Id"],
        record_ids=record_ids,
        status=status,
        owner_id=row["OwnerId"],
        created_at=_moment(row["CreatedDate"]),
        completed_at=_moment(row["CompletedDateTime"]) if completed and row["CompletedDateTime"] else None,
        completed_by_us=_completed_by_us(row) if completed else None,
    )


def _completed_by_us(row: Row) -> bool | None:
    """Whether the task's creator closed it: known only as long as nobody has saved it since.

    Salesforce keeps who saved a record last, and tracks no history of tasks unless an admin turns that on.
    https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/system_fields.htm
    """
    closed = row["CompletedDateTime"]
    if not closed or abs(_moment(row["LastModifiedDate"]) - _moment(closed)) > SAME_SAVE:
        return None
    return not touched(row)


def _home(row: Row, object: str) -> str | None:
    """The record of our object that a task is on; its AccountId also where a person moved it to a deal of the account.

    https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_task.htm
    """
    if object in ("Lead", "Contact"):
        return row["WhoId"] or None
    if object == "Account" and PREFIXES.get(str(row["WhatId"])[:3]) != object:
        return row["AccountId"] or None
    return row["WhatId"] or None


def _survivors(client: Client, object: str, ids: Iterable[str]) -> dict[str, str]:
    """The living record's id by the id of each record; records that are gone are left out."""
    by_object: dict[str, set[str]] = defaultdict(set)
    for record_id in ids:
        by_object[PREFIXES.get(record_id[:3], object)].add(record_id)
    return {
        asked: row["Id"]
        for kind, some in by_object.items()
        for asked, row in follow_merges(client, kind, ("Id",), some).items()
    }


def _moment(stamp: str) -> datetime:
    return datetime.fromisoformat(str(coerce(STAMP, stamp)))
