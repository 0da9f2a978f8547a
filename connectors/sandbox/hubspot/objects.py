"""Calls on one record, lists, merges."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.sandbox.hubspot.call import Call, HttpResponse
from connectors.sandbox.hubspot.errors import JsonObject, invalid, not_found
from connectors.sandbox.hubspot.faults import WriteFault
from connectors.sandbox.hubspot.kinds import CONTACTS, Kind
from connectors.sandbox.hubspot.record import Record
from connectors.sandbox.hubspot.request_body import not_set, properties_of, text
from connectors.sandbox.hubspot.timestamps import iso
from connectors.sandbox.hubspot.writes import RecordRejected, apply, check_links, check_unique, check_write

LONGEST_PAGE = 100
LONGEST_PAGE_WITH_HISTORY = 50


def list_records(call: Call) -> HttpResponse:
    """A page of records, oldest first."""
    kind, store = call.kind(), call.store(call.kind())
    most = LONGEST_PAGE_WITH_HISTORY if call.names("propertiesWithHistory") else LONGEST_PAGE
    source = store.archived() if call.flag("archived") else store.living()
    records, paging = call.page(source, lambda record: record.id, usual=10, most=most)
    names = call.known_names(kind, call.names("properties"))
    return 200, {"results": [_shown(call, kind, record, names) for record in records], **paging}


def create_record(call: Call) -> HttpResponse:
    """201 with the new record."""
    fault = _begin_write(call)
    return 201, _write(call, fault, None)


def get_record(call: Call) -> HttpResponse:
    """200 with the record, and its history and associations when requested."""
    kind = call.kind()
    record = _found(call, kind, archived=call.flag("archived"))
    names = call.known_names(kind, call.names("properties"))
    return 200, _shown(call, kind, record, names)


def patch_record(call: Call) -> HttpResponse:
    """200 with what was sent."""
    fault = _begin_write(call)
    return 200, _write(call, fault, _found(call, call.kind()))


def delete_record(call: Call) -> HttpResponse:
    """204, for an unknown id too."""
    store = call.store(call.kind())
    call.exchange.records = 1
    if record := store.find(call.params["id"]):
        store.archive(record, call.at_ms)
    return 204, None


def merge_records(call: Call) -> HttpResponse:
    """200 with the survivor; from now on the other id finds the survivor."""
    kind, body = call.kind(), call.body()
    store = call.store(kind)
    survivor = store.find(text(body, "primaryObjectId"))
    loser = store.find(text(body, "objectIdToMerge"))
    if survivor is None or loser is None or survivor is loser:
        raise invalid("Merge needs two different existing records")
    call.portal.contents.merge(kind, survivor, loser, call.at_ms)
    return 200, call.read_echo(kind, survivor, call.known_names(kind, []))


def gdpr_delete(call: Call) -> HttpResponse:
    """204; the contact is deleted permanently, also from the archive and from search."""
    if call.kind() is not CONTACTS:
        raise not_found()
    store, body = call.store(CONTACTS), call.body()
    value, name = text(body, "objectId"), text(body, "idProperty")
    if not value:
        raise not_set(["objectId"])
    record = store.find_by("email", value.lower()) if name == "email" else store.find(value)
    record = record or store.find(value, archived=True)
    if record is not None:
        call.portal.contents.delete(CONTACTS, record)
    return 204, None


def history_of(record: Record, names: Sequence[str]) -> JsonObject:
    """Every value the named properties had, newest first."""
    shown: JsonObject = {}
    for name in names:
        shown[name] = [
            {
                "value": change.value,
                "timestamp": iso(change.at_ms),
                "sourceType": change.source.type,
                "sourceId": change.source.id,
                **({"updatedByUserId": int(change.source.user_id)} if change.source.user_id else {}),
            }
            for change in reversed(record.history(name))
        ]
    return shown


def _found(call: Call, kind: Kind, *, archived: bool = False) -> Record:
    store, name, value = call.store(kind), call.asked("idProperty"), call.params["id"]
    if name and not store.is_unique(name):
        raise invalid(f"Property {name} is not a unique property of {kind.type_id}")
    record = store.find(value, archived=archived)
    if name:
        record = store.find_by(name, value.lower() if name == "email" else value)
    if record is None:
        raise not_found()
    return record


def _shown(call: Call, kind: Kind, record: Record, names: tuple[str, ...]) -> JsonObject:
    shown = call.read_echo(kind, record, names)
    if history := call.names("propertiesWithHistory"):
        shown["propertiesWithHistory"] = history_of(record, history)
    associated: JsonObject = {}
    for name in call.names("associations"):
        other = call.portal.contents.kind(name)
        if other is not None:
            found = call.portal.contents.associations.of((kind.name, record.id), other.name)
            label = f"{kind.singular}_to_{other.singular}"
            if found:
                associated[other.name] = {"results": [{"id": number, "type": label} for number, _ in found]}
    if associated:
        shown["associations"] = associated
    return shown


def _begin_write(call: Call) -> WriteFault:
    fault = WriteFault.of(call)
    fault.before_write(call, call.kind(), [call.body()])
    call.exchange.records = 1
    return fault


def _write(call: Call, fault: WriteFault, record: Record | None) -> JsonObject:
    """Write the body to a record, or to a new one, which may have associations. Raises `RequestRejected`."""
    kind, body = call.kind(), call.body()
    properties = properties_of(body, call.exchange.body)
    try:
        fault.poison((record.id,) if record else (), properties)
        write = check_write(call.portal, kind, record, properties, call.version)
        check_unique(call.portal, write)
        if record is None and body.get("associations"):
            write.links = check_links(call.portal, kind, body, call.version)
    except RecordRejected as problem:
        raise problem.rejection(in_batch=False) from None
    written, shown = apply(call.portal, write, call.at_ms, call.portal.source)
    call.exchange.add_notes(applied=[written.id])
    return call.portal.shown(kind, written, shown)
