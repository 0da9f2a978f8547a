"""``POST /composite/tree/T``: records with their children in one call.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobject_tree.htm
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from connectors.sandbox.salesforce.api import Call, HttpResponse
from connectors.sandbox.salesforce.errors import RequestRejected, malformed
from connectors.sandbox.salesforce.records import writer_for
from connectors.sandbox.salesforce.schema import ObjectType

_MOST_RECORDS, _MOST_LEVELS = 200, 5
Json = Any


def tree(call: Call, object: str) -> HttpResponse:
    """``POST /composite/tree/T``: records with their children, all of them created or none."""
    kind = call.kind(object)
    nodes = list(_nodes(call, kind, call.body().get("records"), None, 1))
    if len(nodes) > _MOST_RECORDS:
        raise RequestRejected("EXCEEDED_ID_LIMIT", f"a tree has at most {_MOST_RECORDS} records", None)
    if len({node.reference for node in nodes}) < len(nodes):
        raise malformed("every record needs a referenceId of its own")
    call.exchange.records = (call.exchange.records or 0) + len(nodes)
    writer = writer_for(call)
    start = writer.journal.mark()
    made: dict[str, str] = {}
    for node in nodes:
        try:
            if writer.record_faults:
                writer.record_faults.next_record()
            parent = {node.parent[0]: made[node.parent[1]]} if node.parent else {}
            made[node.reference] = writer.insert(node.kind, {**node.values, **parent}, batch=True)
        except RequestRejected as rejection:
            writer.journal.roll_back(start)
            failure = {"referenceId": node.reference, "errors": [rejection.to_record_error()]}
            return HttpResponse({"hasErrors": True, "results": [failure]}, 400)
    results = [{"referenceId": reference, "id": record_id} for reference, record_id in made.items()]
    return HttpResponse({"hasErrors": False, "results": results}, 201)


class _Node(NamedTuple):
    """``parent`` is the field that refers to the parent, and the reference id of the parent."""

    kind: ObjectType
    reference: str
    values: dict[str, Json]
    parent: tuple[str, str] | None


def _nodes(call: Call, kind: ObjectType, given: Json, parent: str | None, level: int) -> Iterator[_Node]:
    if not isinstance(given, list) or not given or not all(isinstance(one, dict) for one in given):
        raise malformed("records has to be a list of objects")
    if level > _MOST_LEVELS:
        raise malformed(f"a tree has at most {_MOST_LEVELS} levels")
    for one in given:
        attributes = one.get("attributes")
        reference = attributes.get("referenceId") if isinstance(attributes, dict) else None
        named = attributes.get("type") if isinstance(attributes, dict) else None
        if not isinstance(reference, str) or not isinstance(named, str):
            raise malformed("every record needs attributes with type and referenceId")
        mine = call.org.catalogue.find(named)
        if mine is None or (parent is None and mine is not kind):
            raise RequestRejected("INVALID_TYPE", f"sObject type '{named}' is not supported here.", None)
        below = {name: value for name, value in one.items() if isinstance(value, dict) and "records" in value}
        values = {name: value for name, value in one.items() if name not in below}
        yield _Node(mine, reference, values, (_field_to(mine, kind), parent) if parent else None)
        for children in below.values():
            yield from _nodes(call, mine, children["records"], reference, level + 1)


def _field_to(child: ObjectType, parent: ObjectType) -> str:
    for field in child.fields.values():
        if parent.name in field.reference_to and field.createable and field.name != "OwnerId":
            return field.name
    raise RequestRejected("INVALID_FIELD", f"{child.name} has no parent {parent.name}", None)
