"""Actions of a user in HubSpot's own pages, over ``POST /__sim/mutate``.

| action | with |
|---|---|
| ``complete_task``, ``start_task`` | id |
| ``win_deal``, ``lose_deal`` | id |
| ``edit`` | type, id, properties; source (``IMPORT``, ``AUTOMATION_PLATFORM``) where no person edits |
| ``create`` | type, properties, company (record id) |
| ``archive``, ``restore`` | type, id |
| ``delete`` | type, id: permanent, also from the archive |
| ``change_owner`` | type, id, owner (owner id, empty for no owner) |
| ``add_address`` | id, email: one more address of a contact |
| ``merge`` | type, survivor, loser |
| ``add_owner`` | email, firstName, lastName |
| ``deactivate_owner``, ``reactivate_owner`` | id |
| ``archive_property`` | type, name |
| ``rename_option`` | type, name, from, label: the visible text; with ``to`` the internal value changes and records \
keep the old one |
| ``take_scope``, ``give_scope`` | scope: a scope of the app |
| ``associate``, ``dissociate`` | type, id, to_type, to_id |

The answer to ``{"action": ..., ...}`` is the changed record, owner or definition.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from connectors.sandbox.core.control import ControlError, JsonObject
from connectors.sandbox.hubspot.addresses import OTHERS
from connectors.sandbox.hubspot.associations import TYPES, Node
from connectors.sandbox.hubspot.defaults import CLOSED_LOST, CLOSED_WON
from connectors.sandbox.hubspot.kinds import COMPANIES, CONTACTS, DEALS, TASKS, Kind
from connectors.sandbox.hubspot.portal import Portal, kind_named
from connectors.sandbox.hubspot.record import Record, Source
from connectors.sandbox.hubspot.writes import RecordRejected, apply, check_unique, check_write

_PERSON = Source("CRM_UI", "userId:12000001", "12000001")


def perform(portal: Portal, action: JsonObject) -> JsonObject:
    """Carry out one action. Raises `ControlError`."""
    name = str(action.get("action", ""))
    if name not in _ACTIONS:
        raise ControlError(f"unknown action {name!r}; known: {', '.join(sorted(_ACTIONS))}")
    try:
        return _ACTIONS[name](portal, action)
    except KeyError as missing:
        raise ControlError(f"{name} needs {missing}") from None
    except RecordRejected as problem:
        raise ControlError(f"{name}: {problem.rejection(in_batch=False)}") from None


def _edit(
    portal: Portal, kind: Kind, record_id: str, properties: dict[str, str], source: Source = _PERSON
) -> JsonObject:
    record = _record(portal, kind, record_id)
    write = check_write(portal, kind, record, properties, "v3")
    check_unique(portal, write)
    apply(portal, write, portal.now_ms(), source)
    return _shown(portal, kind, record)


def _edit_action(portal: Portal, action: JsonObject) -> JsonObject:
    source = Source(str(action["source"]), "1") if "source" in action else _PERSON
    return _edit(portal, _kind(portal, action), str(action["id"]), action["properties"], source)


def _sets(kind: Kind, **properties: str) -> Callable[[Portal, JsonObject], JsonObject]:
    return lambda portal, action: _edit(portal, kind, str(action["id"]), properties)


def _create(portal: Portal, action: JsonObject) -> JsonObject:
    kind = _kind(portal, action)
    company = _record(portal, COMPANIES, str(action["company"])) if "company" in action else None
    write = check_write(portal, kind, None, action["properties"], "v3")
    check_unique(portal, write)
    record, _ = apply(portal, write, portal.now_ms(), _PERSON)
    if company is not None:
        portal.contents.associations.associate_plainly((kind.name, record.id), (COMPANIES.name, company.id))
    return _shown(portal, kind, record)


def _archive(portal: Portal, action: JsonObject) -> JsonObject:
    kind = _kind(portal, action)
    record = _record(portal, kind, str(action["id"]))
    portal.contents.records[kind.name].archive(record, portal.now_ms())
    return _shown(portal, kind, record)


def _restore(portal: Portal, action: JsonObject) -> JsonObject:
    kind = _kind(portal, action)
    store = portal.contents.records[kind.name]
    record = store.find(str(action["id"]), archived=True)
    if record is None:
        raise ControlError(f"no archived {kind.singular} {action['id']}")
    store.restore(record, portal.now_ms())
    return _shown(portal, kind, record)


def _delete(portal: Portal, action: JsonObject) -> JsonObject:
    kind = _kind(portal, action)
    store = portal.contents.records[kind.name]
    record = store.find(str(action["id"])) or store.find(str(action["id"]), archived=True)
    if record is None:
        raise ControlError(f"no {kind.singular} {action['id']}")
    shown = _shown(portal, kind, record)
    portal.contents.delete(kind, record)
    return shown


def _change_owner(portal: Portal, action: JsonObject) -> JsonObject:
    return _edit(portal, _kind(portal, action), str(action["id"]), {"hubspot_owner_id": str(action["owner"])})


def _add_address(portal: Portal, action: JsonObject) -> JsonObject:
    return _edit(portal, CONTACTS, str(action["id"]), {OTHERS: f";{action['email']}"})


def _merge(portal: Portal, action: JsonObject) -> JsonObject:
    kind = _kind(portal, action)
    survivor = _record(portal, kind, str(action["survivor"]))
    loser = _record(portal, kind, str(action["loser"]))
    if survivor is loser:
        raise ControlError("merge needs two different records")
    portal.contents.merge(kind, survivor, loser, portal.now_ms())
    return _shown(portal, kind, survivor)


def _add_owner(portal: Portal, action: JsonObject) -> JsonObject:
    names = str(action.get("firstName", "")), str(action.get("lastName", ""))
    return portal.contents.add_owner(str(action["email"]), *names, portal.now_ms(), None).to_json()


def _activation(*, active: bool) -> Callable[[Portal, JsonObject], JsonObject]:
    def do(portal: Portal, action: JsonObject) -> JsonObject:
        owner_id = str(action["id"])
        if owner_id not in portal.contents.owners:
            raise ControlError(f"no owner {owner_id}")
        portal.contents.set_owner_active(owner_id, active, portal.now_ms())
        return portal.contents.owners[owner_id].to_json()

    return do


def _take_scope(portal: Portal, action: JsonObject) -> JsonObject:
    portal.access.scopes -= {str(action["scope"])}
    return {"scopes": sorted(portal.access.scopes)}


def _give_scope(portal: Portal, action: JsonObject) -> JsonObject:
    portal.access.scopes |= {str(action["scope"])}
    return {"scopes": sorted(portal.access.scopes)}


def _associate(portal: Portal, action: JsonObject) -> JsonObject:
    one, other = _ends(portal, action)
    portal.contents.associations.associate_plainly(one, other)
    return {"associated": [one[1], other[1]]}


def _dissociate(portal: Portal, action: JsonObject) -> JsonObject:
    one, other = _ends(portal, action)
    portal.contents.associations.forget(one, other)
    return {"dissociated": [one[1], other[1]]}


def _ends(portal: Portal, action: JsonObject) -> tuple[Node, Node]:
    kinds = _kind(portal, action), _kind(portal, {"type": action["to_type"]})
    records = [_record(portal, kind, str(action[name])) for kind, name in zip(kinds, ("id", "to_id"), strict=True)]
    pair = (kinds[0].name, kinds[1].name)
    if pair not in TYPES:
        raise ControlError(f"{pair[0]} cannot be associated with {pair[1]}")
    return (pair[0], records[0].id), (pair[1], records[1].id)


def _archive_property(portal: Portal, action: JsonObject) -> JsonObject:
    kind, name = _kind(portal, action), str(action["name"])
    schema = portal.contents.schemas[kind.name]
    if schema.get(name) is None:
        raise ControlError(f"no property {name} on {kind.name}")
    schema.archive(name, portal.now_ms())
    portal.contents.records[kind.name].forget_index(name)
    return schema.properties[name].to_dated_json()


def _rename_option(portal: Portal, action: JsonObject) -> JsonObject:
    kind, name = _kind(portal, action), str(action["name"])
    schema = portal.contents.schemas[kind.name]
    definition = schema.get(name)
    if definition is None or action["from"] not in definition.allowed:
        raise ControlError(f"no option {action['from']} of {name} on {kind.name}")
    value = action.get("to", action["from"])
    renamed = {"value": value, "label": action.get("label", value)}
    options = [{**option, **renamed} if option["value"] == action["from"] else option for option in definition.options]
    schema.put(replace(definition, options=tuple(options), updated_ms=portal.now_ms()))
    return schema.properties[name].to_dated_json()


def _kind(portal: Portal, action: JsonObject) -> Kind:
    return kind_named(portal, str(action["type"]))


def _record(portal: Portal, kind: Kind, record_id: str) -> Record:
    record = portal.contents.records[kind.name].find(record_id)
    if record is None:
        raise ControlError(f"no {kind.singular} {record_id}")
    return record


def _shown(portal: Portal, kind: Kind, record: Record) -> JsonObject:
    return portal.shown(kind, record, dict(record.values))


_ACTIONS: dict[str, Callable[[Portal, JsonObject], JsonObject]] = {
    "complete_task": _sets(TASKS, hs_task_status="COMPLETED"),
    "start_task": _sets(TASKS, hs_task_status="IN_PROGRESS"),
    "win_deal": _sets(DEALS, dealstage=CLOSED_WON),
    "lose_deal": _sets(DEALS, dealstage=CLOSED_LOST),
    "edit": _edit_action,
    "create": _create,
    "archive": _archive,
    "restore": _restore,
    "delete": _delete,
    "change_owner": _change_owner,
    "add_address": _add_address,
    "merge": _merge,
    "add_owner": _add_owner,
    "deactivate_owner": _activation(active=False),
    "reactivate_owner": _activation(active=True),
    "take_scope": _take_scope,
    "give_scope": _give_scope,
    "associate": _associate,
    "dissociate": _dissociate,
    "archive_property": _archive_property,
    "rename_option": _rename_option,
}
