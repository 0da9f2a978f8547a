"""Actions of a user in the org's own pages: ``POST /__sim/mutate`` with ``{"do": ..., ...}``.

| do | with |
|---|---|
| ``edit`` | id, values |
| ``create`` | object, values |
| ``delete``, ``undelete`` | id |
| ``merge`` | survivor, losers (account, contact or lead ids) |
| ``complete_task``, ``start_task`` | id |
| ``change_owner`` | id, owner |
| ``win_deal``, ``lose_deal`` | id |
| ``archive`` | id (of a task) |
| ``convert_lead`` | id; account, contact, opportunity (each optional; the first two are created when not given) |
| ``deactivate_user``, ``activate_user`` | id |
| ``hide_field``, ``lock_field``, ``show_field`` | object, field (for the integration user) |
| ``rename_picklist_value`` | object, field, from, to |
| ``expire_sessions`` | |

``by`` is the id of the user; the org's admin by default.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from connectors.sandbox.core.control import ControlError, JsonObject
from connectors.sandbox.salesforce import ids
from connectors.sandbox.salesforce.checks import check_unique
from connectors.sandbox.salesforce.errors import RequestRejected
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.schema import ObjectType
from connectors.sandbox.salesforce.table import Record
from connectors.sandbox.salesforce.write import Writer, children_of


def perform(org: Org, action: JsonObject) -> JsonObject:
    """Carry out one action; returns its effect. Raises `ControlError`."""
    do = _ACTIONS.get(str(action.get("do")))
    if do is None:
        raise ControlError(f"unknown action {action.get('do')!r}; known: {', '.join(sorted(_ACTIONS))}")
    writer = Writer(org=org, user_id=str(action.get("by") or org.staff.admin), from_ui=True)
    try:
        return do(org, writer, action)
    except RequestRejected as rejection:
        raise ControlError(f"{rejection.code}: {rejection.message}") from None
    except KeyError as missing:
        raise ControlError(f"{action['do']} needs {missing}") from None


def _edit(org: Org, writer: Writer, action: JsonObject) -> JsonObject:
    kind, record = _find(org, action["id"])
    writer.update(kind, record["Id"], action["values"])
    return {"id": record["Id"]}


def _create(org: Org, writer: Writer, action: JsonObject) -> JsonObject:
    kind = org.catalogue.types.get(action["object"])
    if kind is None:
        raise ControlError(f"there is no object {action['object']}")
    return {"id": writer.insert(kind, action["values"])}


def _delete(org: Org, writer: Writer, action: JsonObject) -> JsonObject:
    _, record = _find(org, action["id"])
    writer.delete(record["Id"])
    return {"id": record["Id"]}


def _undelete(org: Org, writer: Writer, action: JsonObject) -> JsonObject:
    kind, record = _find(org, action["id"])
    if not record["IsDeleted"]:
        raise ControlError(f"{record['Id']} is not deleted")
    gone_together = [(one, child) for one, child in children_of(org, record["Id"], deleted=True)
                     if child["SystemModstamp"] == record["SystemModstamp"]]  # fmt: skip
    for one, child in [(kind, record), *gone_together]:
        back = {**child, "IsDeleted": False, "SystemModstamp": org.now()}
        check_unique(org.tables[one.name], back, None)
        writer.journal.put(org.tables[one.name], child["Id"], back)
    return {"id": record["Id"]}


def _archive(org: Org, writer: Writer, action: JsonObject) -> JsonObject:
    kind, record = _find(org, action["id"])
    if kind.name != "Task":
        raise ControlError("only tasks are archived")
    writer.journal.put(org.tables["Task"], record["Id"], {**record, "IsArchived": True, "SystemModstamp": org.now()})
    return {"id": record["Id"]}


def _merge(org: Org, writer: Writer, action: JsonObject) -> JsonObject:
    kind, survivor = _find(org, action["survivor"])
    losers = [_find(org, loser)[1] for loser in action["losers"]]
    if kind.name not in ("Account", "Contact", "Lead") or any(org.catalogue.of_id(one["Id"]) != kind for one in losers):
        raise ControlError("accounts, contacts or leads of one kind can be merged")
    if survivor["IsDeleted"] or survivor in losers or any(one["IsDeleted"] for one in losers):
        raise ControlError("only living records, and not one with itself, can be merged")
    if len({bool(one.get("IsPersonAccount")) for one in [survivor, *losers]}) > 1:
        raise ControlError("a person cannot be merged with a company")
    trusted = Writer(org=org, user_id=writer.user_id, trusted=True)
    for loser in losers:
        if loser.get("PersonContactId"):
            people = org.tables["Contact"].records
            shadow = people[loser["PersonContactId"]]
            _merge_one(org, trusted, org.catalogue.types["Contact"], shadow, survivor["PersonContactId"])
        _merge_one(org, trusted, kind, loser, survivor["Id"])
    trusted.update(kind, survivor["Id"], {})
    return {"id": survivor["Id"], "merged": len(losers)}


def _merge_one(org: Org, trusted: Writer, kind: ObjectType, loser: Record, survivor: str) -> None:
    _adopt_children(org, trusted, loser["Id"], survivor)
    now = org.now()
    gone = {**loser, "IsDeleted": True, "MasterRecordId": survivor, "SystemModstamp": now}
    trusted.journal.put(org.tables[kind.name], loser["Id"], {**gone, "LastModifiedDate": now})


def _adopt_children(org: Org, writer: Writer, old: str, new: str) -> None:
    for name in ("Contact", "Opportunity", "Task", "Event"):
        kind = org.catalogue.types[name]
        references = [field.name for field in kind.fields.values() if field.type == "reference"]
        for child in list(org.tables[name].living()):
            moved = {field: new for field in references if child.get(field) == old}
            if moved and not (name == "Contact" and child.get("IsPersonAccount")):
                writer.update(kind, child["Id"], moved)


def _values(**values: Any) -> Callable[[Org, Writer, JsonObject], JsonObject]:
    return lambda org, writer, action: _edit(org, writer, {**action, "values": values})


def _change_owner(org: Org, writer: Writer, action: JsonObject) -> JsonObject:
    return _edit(org, writer, {**action, "values": {"OwnerId": action["owner"]}})


def _convert_lead(org: Org, writer: Writer, action: JsonObject) -> JsonObject:
    kind, lead = _find(org, action["id"])
    if kind.name != "Lead" or lead["IsDeleted"] or lead.get("IsConverted"):
        raise ControlError(f"{lead['Id']} is no lead that can be converted")
    person = {"LastName": lead["LastName"], "FirstName": lead.get("FirstName")}
    account, contact = action.get("account"), action.get("contact")
    owner = {"OwnerId": lead["OwnerId"]} if lead["OwnerId"].startswith("005") else {}  # a queue owns leads only
    if account is None and lead.get("Company"):
        account = writer.insert(org.catalogue.types["Account"], {"Name": lead["Company"], **owner})
    elif account is None:  # a lead without a company becomes a person account
        account = writer.insert(org.catalogue.types["Account"], {**person, **owner, "PersonEmail": lead.get("Email")})
    contact = contact or (org.record(account) or {}).get("PersonContactId")
    if contact is None:
        values = {**person, "Email": lead.get("Email"), "AccountId": account, **owner}
        contact = writer.insert(org.catalogue.types["Contact"], values)
    trusted = Writer(org=org, user_id=writer.user_id, trusted=True)
    for name in ("Task", "Event"):
        for activity in [one for one in org.tables[name].living() if one.get("WhoId") == lead["Id"]]:
            moved = {"WhoId": contact, "WhatId": account}
            trusted.update(org.catalogue.types[name], activity["Id"], moved)
    converted = {"IsConverted": True, "ConvertedAccountId": account, "ConvertedContactId": contact}
    if deal := action.get("opportunity"):
        converted["ConvertedOpportunityId"] = deal
    trusted.update(kind, lead["Id"], {**converted, "ConvertedDate": org.now()[:10], "Status": "Closed - Converted"})
    return {"id": lead["Id"], "account": account, "contact": contact}


def _deactivate_user(org: Org, writer: Writer, action: JsonObject) -> JsonObject:
    changed = _edit(org, writer, {**action, "values": {"IsActive": False}})
    org.sessions = {token: one for token, one in org.sessions.items() if one.user_id != changed["id"]}
    return changed


def _permission(setting: str | None) -> Callable[[Org, Writer, JsonObject], JsonObject]:
    def do(org: Org, _: Writer, action: JsonObject) -> JsonObject:
        kind = org.catalogue.types.get(action["object"])
        field = kind.find(action["field"]) if kind else None
        if kind is None or field is None:
            raise ControlError(f"there is no field {action['object']}.{action['field']}")
        org.denied.pop((kind.name, field.name), None)
        if setting:
            org.denied[kind.name, field.name] = setting
        org.catalogue.touch()
        return {"object": kind.name, "field": field.name}

    return do


def _rename_picklist_value(org: Org, writer: Writer, action: JsonObject) -> JsonObject:
    kind = org.catalogue.types[action["object"]]
    field = kind.fields[action["field"]]
    old, new = action["from"], action["to"]
    if field.option(old) is None:
        raise ControlError(f"{kind.name}.{field.name} has no value {old!r}")
    renamed = tuple(replace(one, value=new) if one.value == old else one for one in field.options)
    org.catalogue.put(kind.name, replace(field, options=renamed))
    table = org.tables[kind.name]
    changed = [record for record in table.records.values() if record.get(field.name) == old]
    for record in changed:
        writer.journal.put(table, record["Id"], {**record, field.name: new, "SystemModstamp": org.now()})
    return {"records": len(changed)}


def _expire_sessions(org: Org, _writer: Writer, _action: JsonObject) -> JsonObject:
    ended = len(org.sessions)
    org.sessions.clear()
    return {"sessions": ended}


def _find(org: Org, given: Any) -> tuple[ObjectType, Record]:
    record_id = ids.canonical(given)
    kind = org.catalogue.of_id(record_id) if record_id else None
    record = org.record(record_id)
    if kind is None or record is None:
        raise ControlError(f"there is no record {given!r}")
    return kind, record


_ACTIONS: dict[str, Callable[[Org, Writer, JsonObject], JsonObject]] = {
    "edit": _edit,
    "create": _create,
    "delete": _delete,
    "undelete": _undelete,
    "archive": _archive,
    "merge": _merge,
    "complete_task": _values(Status="Completed"),
    "start_task": _values(Status="In Progress"),
    "change_owner": _change_owner,
    "win_deal": _values(StageName="Closed Won"),
    "lose_deal": _values(StageName="Closed Lost"),
    "convert_lead": _convert_lead,
    "deactivate_user": _deactivate_user,
    "activate_user": _values(IsActive=True),
    "hide_field": _permission("hidden"),
    "lock_field": _permission("read_only"),
    "show_field": _permission(None),
    "rename_picklist_value": _rename_picklist_value,
    "expire_sessions": _expire_sessions,
}
