"""sObject Collections: up to 200 records in one call, one result per record, in order.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections.htm
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from connectors.sandbox.salesforce import ids
from connectors.sandbox.salesforce.api import Call, HttpResponse
from connectors.sandbox.salesforce.checks import checked_id
from connectors.sandbox.salesforce.errors import ROLLED_BACK, RequestRejected, malformed, no_key_field
from connectors.sandbox.salesforce.records import writer_for
from connectors.sandbox.salesforce.schema import Field, ObjectType
from connectors.sandbox.salesforce.table import fold
from connectors.sandbox.salesforce.write import Writer

_MOST_RECORDS = 200
_MOST_CHUNKS = 10
_MOST_RETRIEVED = 2000
Result = dict[str, Any]
Apply = Callable[[Writer, Any, int], Result]
"""Writes one record, given its position in the call."""


def create(call: Call) -> HttpResponse:
    """``POST /composite/sobjects``."""
    given_records, together, kinds = _records(call)

    def apply(writer: Writer, given: Result, place: int) -> Result:
        return _success(writer.insert(_known(given, kinds[place]), given, batch=True))

    return _each(call, given_records, together, apply)


def update(call: Call) -> HttpResponse:
    """``PATCH /composite/sobjects``: each record carries its ``id``."""
    given_records, together, kinds = _records(call)
    named = [given.get("id") or given.get("Id") for given in given_records]
    twice = _repeated([ids.canonical(one) for one in named])

    def apply(writer: Writer, given: Result, place: int) -> Result:
        kind = _known(given, kinds[place])
        record_id = named[place]
        if not record_id:
            raise RequestRejected("MISSING_ARGUMENT", "Id not specified in an update call")
        if twice and ids.canonical(record_id) in twice:
            raise RequestRejected("DUPLICATE_VALUE", f"Duplicate id specified: {ids.canonical(record_id)}")
        return {"id": writer.update(kind, record_id, given, batch=True), "success": True, "errors": []}

    return _each(call, given_records, together, apply)


def upsert(call: Call, object: str, key: str) -> HttpResponse:
    """``PATCH /composite/sobjects/T/{external id field}``: one object for the whole call."""
    kind = call.org.catalogue.find(object)
    field = call.org.access(kind).find(key) if kind else None
    if kind is None or field is None or not (field.external_id or field.id_lookup):
        raise no_key_field(key)
    given_records, together, kinds = _records(call)
    folded = [_folded(given, field) for given in given_records]
    twice = _repeated(folded)

    def apply(writer: Writer, given: Result, place: int) -> Result:
        if _known(given, kinds[place]) is not kind:
            raise RequestRejected("INVALID_FIELD", f"record type does not match request type: {kind.name}")
        if folded[place] in twice:
            raise RequestRejected("DUPLICATE_VALUE", f"Duplicate external id specified: {_value_of(given, field.name)}")
        record_id, created = writer.upsert(kind, field, _fields(given, keep_id=field.name == "Id"), may_create=True)
        return {**_success(record_id), "created": created}

    return _each(call, given_records, together, apply)


def retrieve(call: Call, object: str) -> HttpResponse:
    """``GET /composite/sobjects/T?ids=&fields=`` or POST of both: the records in order, null for a missing one."""
    kind = call.kind(object)
    given = call.body() if call.method == "POST" else {name: call.query.get(name, "") for name in ("ids", "fields")}
    wanted, names = (_listed(given.get(part)) for part in ("ids", "fields"))
    if not wanted or not names:
        raise malformed("ids and fields have to be lists")
    if len(wanted) > _MOST_RETRIEVED:
        raise RequestRejected(
            "EXCEEDED_ID_LIMIT", f"cannot retrieve more than {_MOST_RETRIEVED} records in this call", None
        )
    access = call.org.access(kind)
    if missing := [name for name in names if access.find(name) is None]:
        raise RequestRejected("INVALID_FIELD", f"No such column '{missing[0]}' on sobject of type {kind.name}", None)
    fields = [field.name for name in names if (field := access.find(name))]
    records = call.org.tables[kind.name].records
    found = [records.get(ids.canonical(one) or "") for one in wanted]
    call.exchange.records = len(wanted)
    url = f"{call.base}/sobjects/{kind.name}/"
    return HttpResponse(
        [
            {"attributes": {"type": kind.name, "url": url + one["Id"]}, **{name: one.get(name) for name in fields}}
            if one and not one["IsDeleted"]
            else None
            for one in found
        ]
    )


def _listed(given: Any) -> list[str]:
    parts = given.split(",") if isinstance(given, str) else given if isinstance(given, list) else []
    return [str(part).strip() for part in parts if str(part).strip()]


def delete(call: Call) -> HttpResponse:
    """``DELETE /composite/sobjects?ids=a,b&allOrNone=false``."""
    wanted = _listed(call.query.get("ids", ""))
    if not wanted:
        raise RequestRejected("REQUIRED_FIELD_MISSING", "At least 1 Id is required.", None)
    _check_count(wanted)

    def apply(writer: Writer, given: str, _place: int) -> Result:
        record_id = checked_id("ID", given)
        writer.delete(record_id)
        return _success(record_id)

    return _each(call, wanted, call.query.get("allOrNone", "").lower() == "true", apply)


def _each(call: Call, given: Sequence[Any], together: bool, apply: Apply) -> HttpResponse:
    call.exchange.records = (call.exchange.records or 0) + len(given)
    writer = writer_for(call)
    start = writer.journal.mark()
    results: list[Result] = []
    failed = 0
    for place, one in enumerate(given):
        try:
            if writer.record_faults:
                writer.record_faults.next_record()
            results.append(apply(writer, one, place))
        except RequestRejected as rejection:
            failed += 1
            results.append({"success": False, "errors": [rejection.to_record_error()]})
    if together and failed:
        writer.journal.roll_back(start)
        results = [_undone(result) if result["success"] else result for result in results]
    call.exchange.add_notes(failed=len(given) if together and failed else failed)
    return HttpResponse(results)


def _undone(result: Result) -> Result:
    kept = {"id": result["id"]} if not result.get("created", True) else {}
    return {**kept, "success": False, "errors": [ROLLED_BACK.to_record_error()]}


def _success(record_id: str) -> Result:
    return {"id": record_id, "success": True, "errors": []}


def _records(call: Call) -> tuple[list[Result], bool, list[ObjectType | None]]:
    """The records, ``allOrNone``, and the object of each record (None when it does not exist)."""
    body = call.body()
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
        raise malformed("records has to be a list of objects")
    if not records:
        raise RequestRejected("REQUIRED_FIELD_MISSING", "At least 1 record is required", None)
    _check_count(records)
    types = [_type_of(one) for one in records]
    if not all(types):
        raise RequestRejected("INVALID_FIELD", "attributes.type is required on every record", None)
    distinct = set(types)
    chunks = 1 if len(distinct) == 1 else sum(1 for _ in groupby(kind.lower() for kind in types))
    if chunks > _MOST_CHUNKS:
        message = f"record chunks limit reached. cannot process more than {_MOST_CHUNKS} chunks of the same type"
        raise RequestRejected("LIMIT_EXCEEDED", message, None)
    known = {name: call.org.catalogue.find(name) for name in distinct}
    return records, bool(body.get("allOrNone")), [known[name] for name in types]


def _repeated(keys: Sequence[Any]) -> set[Any]:
    """The keys that occur more than once."""
    if len(set(keys)) == len(keys):
        return set()
    return {key for key, times in Counter(keys).items() if times > 1 and key is not None}


def _type_of(given: Result) -> str:
    attributes = given.get("attributes")
    named = attributes.get("type") if isinstance(attributes, dict) else None
    return named if isinstance(named, str) else ""


def _check_count(given: Sequence[Any]) -> None:
    if len(given) > _MOST_RECORDS:
        message = f"record limit reached. cannot submit more than {_MOST_RECORDS} records into this call"
        raise RequestRejected("EXCEEDED_ID_LIMIT", message, None)


def _known(given: Result, kind: ObjectType | None) -> ObjectType:
    if kind is None:
        raise RequestRejected("INVALID_TYPE", f"sObject type '{_type_of(given)}' is not supported.")
    return kind


def _fields(given: Result, keep_id: bool) -> Result:
    skipped = {"attributes"} if keep_id else {"attributes", "id"}
    return {name: value for name, value in given.items() if name.lower() not in skipped}


def _value_of(given: Result, name: str) -> Any:
    if name in given:
        return given[name]
    return next((value for key, value in given.items() if key.lower() == name.lower()), None)


def _folded(given: Result, field: Field) -> Any:
    value = _value_of(given, field.name)
    return fold(field, value) if isinstance(value, str | int | float) else None
