"""The fields that Salesforce derives when a record is saved: status flags, names, parents of activities."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from connectors.sandbox.salesforce import person_accounts
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.schema import Option
from connectors.sandbox.salesforce.table import Journal, Record


def derived(org: Org, object: str, record: Record, before: Record | None) -> Record:
    """The derived fields of ``record``."""
    derive = _DERIVE.get(object)
    return derive(org, record, before) if derive else {}


def touch_parents(org: Org, object: str, records: Iterable[Record | None], journal: Journal) -> None:
    """Update ``LastActivityDate`` of the account of a saved or deleted task."""
    if object != "Task":
        return
    accounts = {record["AccountId"] for record in records if record and record.get("AccountId")}
    for account_id in accounts:
        account = org.record(account_id)
        if account is None:
            continue
        dates = [record.get("ActivityDate") for record in records if record and record.get("AccountId") == account_id]
        latest = max((day for day in (account.get("LastActivityDate"), *dates) if day), default=None)
        if latest != account.get("LastActivityDate"):
            journal.put(org.tables["Account"], account_id, {**account, "LastActivityDate": latest})


def _task(org: Org, record: Record, before: Record | None) -> Record:
    option = _option(org, "Task", "Status", record.get("Status"))
    closed = bool(option and option.closed)
    was_closed = bool(before and before.get("IsClosed"))
    completed = record.get("CompletedDateTime") if closed and was_closed else org.now() if closed else None
    return {
        "IsClosed": closed,
        "CompletedDateTime": completed,
        "IsHighPriority": record.get("Priority") == "High",
        "AccountId": _account_of(org, record),
        "IsArchived": bool(record.get("IsArchived")),
    }


def _account_of(org: Org, record: Record) -> str | None:
    for name in ("WhatId", "WhoId"):
        target = org.record(record.get(name))
        if target is None:
            continue
        found = target["Id"] if target["Id"].startswith("001") else target.get("AccountId")
        if found:
            return str(found)
    return None


def _opportunity(org: Org, record: Record, _: Record | None) -> Record:
    option = _option(org, "Opportunity", "StageName", record.get("StageName"))
    return {"IsClosed": bool(option and option.closed), "IsWon": bool(option and option.won)}


def _full_name(_org: Org, record: Record, _: Record | None) -> Record:
    parts = (record.get("FirstName"), record.get("LastName"))
    return {"Name": " ".join(part for part in parts if part)}


def _option(org: Org, object: str, field: str, value: Any) -> Option | None:
    return org.catalogue.types[object].fields[field].option(value) if value else None


_DERIVE: dict[str, Callable[[Org, Record, Record | None], Record]] = {
    "Account": person_accounts.derived_of,
    "Task": _task,
    "Opportunity": _opportunity,
    "Contact": _full_name,
    "Lead": _full_name,
    "User": _full_name,
}
