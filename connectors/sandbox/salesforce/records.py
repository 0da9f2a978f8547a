"""Single records: ``/sobjects/T``, ``/sobjects/T/{id}``, ``/sobjects/T/{external id field}/{value}``."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from email.utils import format_datetime
from typing import Any
from urllib.parse import unquote

from connectors.sandbox.salesforce import ids
from connectors.sandbox.salesforce.api import Call, HttpResponse
from connectors.sandbox.salesforce.errors import RequestRejected, malformed_id, no_key_field, not_found
from connectors.sandbox.salesforce.schema import Field, ObjectType
from connectors.sandbox.salesforce.table import Journal, Record
from connectors.sandbox.salesforce.values import parse_moment, stamp
from connectors.sandbox.salesforce.write import Writer

_UPDATE_ONLY_SINCE = 61.0


def writer_for(call: Call) -> Writer:
    """A writer for the caller, with the headers and faults of this call."""
    allow = "allowsave=true" in call.headers.get("sforce-duplicate-rule-header", "").lower().replace(" ", "")
    journal = Journal() if call.journal is None else call.journal
    return Writer(
        org=call.org,
        user_id=call.user_id,
        allow_duplicates=allow,
        record_faults=call.record_faults,
        journal=journal,
    )


def create(call: Call, object: str) -> HttpResponse:
    """``POST /sobjects/T``."""
    kind = call.kind(object)
    given = call.body()
    writer = _begin(call)
    record_id = writer.insert(kind, given)
    url = f"{call.base}/sobjects/{kind.name}/{record_id}"
    return HttpResponse({"id": record_id, "success": True, "errors": []}, 201, {"Location": url})


def read(call: Call, object: str, record_id: str) -> HttpResponse:
    """``GET /sobjects/T/{id}?fields=A,B``."""
    kind = call.kind(object)
    record = _living(call, kind, record_id)
    tag = hashlib.sha256(f"{record['Id']}{record['SystemModstamp']}".encode()).digest()
    changed = format_datetime(parse_moment(record["SystemModstamp"]), usegmt=True)
    headers = {"ETag": f'"{b64encode(tag).decode()}"', "Last-Modified": changed}
    return HttpResponse(shown(call, kind, record), headers=headers)


def update(call: Call, object: str, record_id: str) -> HttpResponse:
    """``PATCH /sobjects/T/{id}``."""
    kind = call.kind(object)
    record = _living(call, kind, record_id)
    given = call.body()
    _begin(call).update(kind, record["Id"], given)
    return HttpResponse(None, 204)


def delete(call: Call, object: str, record_id: str) -> HttpResponse:
    """``DELETE /sobjects/T/{id}``."""
    kind = call.kind(object)
    record = _living(call, kind, record_id)
    _begin(call).delete(record["Id"])
    return HttpResponse(None, 204)


def read_by_key(call: Call, object: str, key: str, value: str) -> HttpResponse:
    """``GET /sobjects/T/{external id field}/{value}``."""
    kind = call.kind(object)
    found = _by_key(call, kind, _key_field(call, kind, key), unquote(value))
    if not found:
        raise not_found()
    return _several(call, kind, found) or HttpResponse(shown(call, kind, call.org.tables[kind.name].records[found[0]]))


def upsert(call: Call, object: str, key: str, value: str) -> HttpResponse:
    """``PATCH /sobjects/T/{external id field}/{value}?updateOnly=true``."""
    kind = call.kind(object)
    field = _key_field(call, kind, key)
    wanted = unquote(value)
    given = call.body()
    if twice := [name for name in given if name.lower() in (field.name.lower(), "id")]:
        message = f"The {twice[0]} field should not be specified in the sobject data."
        raise RequestRejected("INVALID_FIELD", message, None)
    found = _by_key(call, kind, field, wanted)
    if several := _several(call, kind, found):
        return several
    writer = _begin(call)
    if found:
        writer.update(kind, found[0], given)
        return HttpResponse({"id": found[0], "success": True, "errors": [], "created": False})
    only = call.query.get("updateOnly", "").lower() == "true" and float(call.version) >= _UPDATE_ONLY_SINCE
    if only or field.name == "Id":
        raise not_found()
    record_id = writer.insert(kind, {**given, field.name: wanted})
    location = {"Location": f"{call.base}/sobjects/{kind.name}/{record_id}"}
    return HttpResponse({"id": record_id, "success": True, "errors": [], "created": True}, 201, location)


def delete_by_key(call: Call, object: str, key: str, value: str) -> HttpResponse:
    """``DELETE /sobjects/T/{external id field}/{value}``."""
    kind = call.kind(object)
    found = _by_key(call, kind, _key_field(call, kind, key), unquote(value))
    if not found:
        raise not_found()
    if several := _several(call, kind, found):
        return several
    _begin(call).delete(found[0])
    return HttpResponse(None, 204)


def updated(call: Call, object: str) -> HttpResponse:
    """``GET /sobjects/T/updated/?start=&end=``: ids changed between two times."""
    kind = call.kind(object)
    start, end = _window(call)
    changed = [one["Id"] for one in call.org.tables[kind.name].living() if start <= one["SystemModstamp"] <= end]
    return HttpResponse({"ids": changed, "latestDateCovered": min(end, call.org.now())})


def deleted(call: Call, object: str) -> HttpResponse:
    """``GET /sobjects/T/deleted/?start=&end=``: ids deleted between two times, and when."""
    kind = call.kind(object)
    start, end = _window(call)
    records = call.org.tables[kind.name].records.values()
    gone = [one for one in records if one["IsDeleted"] and start <= one["SystemModstamp"] <= end]
    first = min((one["SystemModstamp"] for one in records if one["IsDeleted"]), default=start)
    return HttpResponse(
        {
            "deletedRecords": [{"id": one["Id"], "deletedDate": one["SystemModstamp"]} for one in gone],
            "earliestDateAvailable": first,
            "latestDateCovered": min(end, call.org.now()),
        }
    )


def _window(call: Call) -> tuple[str, str]:
    try:
        start, end = (stamp(parse_moment(call.query[name].replace(" ", "+"))) for name in ("start", "end"))
    except (KeyError, ValueError, OverflowError):
        raise RequestRejected(
            "INVALID_REPLICATION_DATE", "start and end have to be ISO 8601 times with a zone", None
        ) from None
    return start, end


def shown(call: Call, kind: ObjectType, record: Record) -> dict[str, Any]:
    """The fields of a record that the caller may see; empty ones are null."""
    access = call.org.access(kind)
    names = list(access.visible)
    if wanted := call.query.get("fields"):
        names = [field.name if (field := access.find(name.strip())) else _reject(name) for name in wanted.split(",")]
    url = f"{call.base}/sobjects/{kind.name}/{record['Id']}"
    attributes = {"attributes": {"type": kind.name, "url": url}}
    return {**attributes, **{name: record.get(name) for name in names}}


def _begin(call: Call) -> Writer:
    call.exchange.records = (call.exchange.records or 0) + 1
    writer = writer_for(call)
    if writer.record_faults:
        writer.record_faults.next_record()
    return writer


def _living(call: Call, kind: ObjectType, given: str) -> Record:
    record_id = ids.canonical(given)
    if record_id is None and given.startswith(kind.prefix) and ids.canonical(given[:15]) and len(given) in (15, 18):
        raise malformed_id(kind.fields["Id"].label, given)
    record = call.org.tables[kind.name].records.get(record_id) if record_id else None
    if record_id is None or not record_id.startswith(kind.prefix):
        raise no_key_field(given)
    if record is None:
        raise not_found()
    if record["IsDeleted"]:
        raise RequestRejected("ENTITY_IS_DELETED", "entity is deleted", (), 404)
    return record


def _key_field(call: Call, kind: ObjectType, name: str) -> Field:
    field = call.org.access(kind).find(name)
    if field is None or not (field.external_id or field.id_lookup):
        raise no_key_field(name)
    return field


def _by_key(call: Call, kind: ObjectType, field: Field, value: str) -> list[str]:
    wanted: Any = ids.canonical(value) if field.name == "Id" else value
    if field.type == "double":
        try:
            wanted = float(value)
        except ValueError:
            raise not_found() from None
    return call.org.tables[kind.name].having(field, wanted)


def _several(call: Call, kind: ObjectType, found: list[str]) -> HttpResponse | None:
    if len(found) < 2:
        return None
    return HttpResponse([f"{call.base}/sobjects/{kind.name}/{record_id}" for record_id in found], 300)


def _reject(name: str) -> str:
    raise RequestRejected("INVALID_FIELD", f"No such column '{name}'", None)
