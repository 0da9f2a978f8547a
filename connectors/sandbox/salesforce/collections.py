"""sObject Collections: up to 200 records in one call, one result per record, in order.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections.htm
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from connectors.sandbox.salesforce import ids
from connectors.sandbox.salesforce.api import Answer, Call
from connectors.sandbox.salesforce.checks import checked_id
from connectors.sandbox.salesforce.refusal import ROLLED_BACK, Refused, malformed, not_found
from connectors.sandbox.salesforce.rows import writer_for
from connectors.sandbox.salesforce.schema import Field, ObjectType
from connectors.sandbox.salesforce.table import fold
from connectors.sandbox.salesforce.write import Writer

_MOST_RECORDS = 200
_MOST_CHUNKS = 10
Result = dict[str, Any]
Apply = Callable[[Writer, Any], Result]


def create(call: Call) -> Answer:
    """``POST /composite/sobjects``."""

    def apply(writer: Writer, given: Result) -> Result:
        kind = _kind_of(call, given)
        return _success(writer.insert(kind, _fields(given)))

    return _each(call, *_records(call), apply)


def update(call: Call) -> Answer:
    """``PATCH /composite/sobjects``: each record carries its ``id``."""
    given_records, together = _records(call)
    seen = Counter(ids.canonical(_id_of(given)) for given in given_records)

    def apply(writer: Writer, given: Result) -> Result:
        kind = _kind_of(call, given)
        if not _id_of(given):
            raise Refused("MISSING_ARGUMENT", "Id not specified in an update call")
        record_id = checked_id(kind.fields["Id"].label, _id_of(given))
        if not record_id.startswith(kind.prefix):
            message = f"{kind.fields['Id'].label}: id value of incorrect type: {record_id}"
            raise Refused("MALFORMED_ID", message, ("Id",))
        if seen[record_id] > 1:
            raise Refused("DUPLICATE_VALUE", f"Duplicate id specified: {record_id}")
        writer.update(kind, record_id, _fields(given))
        return _success(record_id)

    return _each(call, given_records, together, apply)


def upsert(call: Call, object: str, key: str) -> Answer:
    """``PATCH /composite/sobjects/T/{external id field}``: one object for the whole call."""
    kind = call.org.catalogue.find(object)
    field = call.org.access(kind).find(key) if kind else None
    if kind is None or field is None or not (field.external_id or field.id_lookup):
        raise not_found(f"Provided external ID field does not exist or is not accessible: {key}")
    given_records, together = _records(call)
    seen = Counter(_folded(given, field) for given in given_records)

    def apply(writer: Writer, given: Result) -> Result:
        folded = _folded(given, field)
        if _kind_of(call, given).name != kind.name:
            raise Refused("INVALID_FIELD", f"record type does not match request type: {kind.name}")
        if folded is not None and seen[folded] > 1:
            raise Refused("DUPLICATE_VALUE", f"Duplicate external id specified: {_value_of(given, field.name)}")
        record_id, created = writer.upsert(kind, field, _fields(given, keep_id=field.name == "Id"), may_create=True)
        return {**_success(record_id), "created": created}

    return _each(call, given_records, together, apply)


def delete(call: Call) -> Answer:
    """``DELETE /composite/sobjects?ids=a,b&allOrNone=false``."""
    wanted = [part.strip() for part in call.query.get("ids", "").split(",") if part.strip()]
    if not wanted:
        raise Refused("REQUIRED_FIELD_MISSING", "At least 1 Id is required.", None)
    _check_count(wanted)

    def apply(writer: Writer, given: str) -> Result:
        record_id = checked_id("ID", given)
        writer.delete(record_id)
        return _success(record_id)

    return _each(call, wanted, call.query.get("allOrNone", "").lower() == "true", apply)


def _each(call: Call, given: Sequence[Any], together: bool, apply: Apply) -> Answer:
    call.exchange.records = (call.exchange.records or 0) + len(given)
    writer = writer_for(call)
    start = writer.journal.mark()
    results: list[Result] = []
    for one in given:
        try:
            if writer.disturbance:
                writer.disturbance.next_record()
            results.append(apply(writer, one))
        except Refused as refused:
            results.append({"success": False, "errors": [refused.of_record()]})
    failed = sum(not result["success"] for result in results)
    if together and failed:
        writer.journal.roll_back(start)
        results = [_undone(result) if result["success"] else result for result in results]
    call.exchange.note(failed=len(given) if together and failed else failed)
    return Answer(results)


def _undone(result: Result) -> Result:
    kept = {"id": result["id"]} if not result.get("created", True) else {}
    return {**kept, "success": False, "errors": [ROLLED_BACK.of_record()]}


def _success(record_id: str) -> Result:
    return {"id": record_id, "success": True, "errors": []}


def _records(call: Call) -> tuple[list[Result], bool]:
    body = call.body()
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
        raise malformed("records has to be a list of objects")
    if not records:
        raise Refused("REQUIRED_FIELD_MISSING", "At least 1 record is required", None)
    _check_count(records)
    types = [_type_of(one) for one in records]
    if not all(types):
        raise Refused("INVALID_FIELD", "attributes.type is required on every record", None)
    chunks = sum(1 for _ in groupby(kind.lower() for kind in types))
    if chunks > _MOST_CHUNKS:
        message = f"record chunks limit reached. cannot process more than {_MOST_CHUNKS} chunks of the same type"
        raise Refused("LIMIT_EXCEEDED", message, None)
    return records, bool(body.get("allOrNone"))


def _type_of(given: Result) -> str:
    attributes = given.get("attributes")
    named = attributes.get("type") if isinstance(attributes, dict) else None
    return named if isinstance(named, str) else ""


def _check_count(given: Sequence[Any]) -> None:
    if len(given) > _MOST_RECORDS:
        message = f"record limit reached. cannot submit more than {_MOST_RECORDS} records into this call"
        raise Refused("EXCEEDED_ID_LIMIT", message, None)


def _kind_of(call: Call, given: Result) -> ObjectType:
    name = _type_of(given)
    kind = call.org.catalogue.find(name)
    if kind is None:
        raise Refused("INVALID_TYPE", f"sObject type '{name}' is not supported.")
    return kind


def _fields(given: Result, keep_id: bool = False) -> Result:
    skipped = {"attributes"} if keep_id else {"attributes", "id"}
    return {name: value for name, value in given.items() if name.lower() not in skipped}


def _id_of(given: Result) -> Any:
    return given.get("id") or given.get("Id")


def _value_of(given: Result, name: str) -> Any:
    if name in given:
        return given[name]
    return next((value for key, value in given.items() if key.lower() == name.lower()), None)


def _folded(given: Result, field: Field) -> Any:
    value = _value_of(given, field.name)
    return fold(field, value) if isinstance(value, str | int | float) else None
