"""Search: an index that lags a few seconds finds the records; the answer shows their current values.

Recorded: a company found by a domain that it no longer has, and a total of 2 with no results after both were
archived.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.sandbox.hubspot.call import Call, HttpResponse
from connectors.sandbox.hubspot.errors import JsonObject, invalid
from connectors.sandbox.hubspot.kinds import Kind
from connectors.sandbox.hubspot.record import Record
from connectors.sandbox.hubspot.request_body import integer, objects, text, texts
from connectors.sandbox.hubspot.schema import Property
from connectors.sandbox.hubspot.timestamps import milliseconds

LONGEST_PAGE = 200
MOST_RESULTS = 10_000
MOST_GROUPS = 5
MOST_FILTERS = 6
MOST_FILTERS_IN_ALL = 18
MOST_VALUES = 100
LONGEST_QUERY = 3000

Comparable = float | str
Test = Callable[[Mapping[str, str], Record], bool]


@dataclass(frozen=True, slots=True)
class _SearchRequest:
    groups: list[list[Test]]
    query: list[str]
    sort: str
    descending: bool
    limit: int
    after: int


def search(call: Call) -> HttpResponse:
    """200 with a page of the records that matched ``search_lag`` seconds ago, without those archived since."""
    kind, body = call.kind(), call.body()
    wanted = _wanted(call, kind, body)
    lag, fault = call.portal.options.search_lag, call.exchange.fault
    if fault is not None and fault.kind == "search_lag":
        lag = float(fault.args.get("seconds", 30))
    seen_at = call.at_ms - int(lag * 1000)
    found: list[tuple[Record, Mapping[str, str]]] = []
    for record in call.store(kind).by_id.values():
        values = record.seen_at(seen_at)
        if values is not None and _matches(kind, wanted, values, record):
            found.append((record, values))
    _sort(call, kind, wanted, found)
    names = call.known_names(kind, texts(body, "properties"))
    page = found[wanted.after : wanted.after + wanted.limit]
    results = [call.read_echo(kind, record, names) for record, _ in page if record.archived_ms is None]
    body = {"total": len(found), "results": results}
    end = wanted.after + wanted.limit
    if end < len(found):
        body["paging"] = {"next": {"after": str(end)}}
    return 200, body


def _wanted(call: Call, kind: Kind, body: JsonObject) -> _SearchRequest:
    groups = [objects(group, "filters") for group in objects(body, "filterGroups")]
    if not groups and objects(body, "filters"):
        groups = [objects(body, "filters")]
    sizes = [len(filters) for filters in groups]
    query, sorts = text(body, "query"), body.get("sorts") or []
    limit, after = integer(body.get("limit"), "limit", 10), integer(body.get("after") or None, "after", 0)
    rules = {
        f"limit must be between 1 and {LONGEST_PAGE}": not 0 < limit <= LONGEST_PAGE,
        f"Paging through more than {MOST_RESULTS} results is not possible": after + limit > MOST_RESULTS,
        f"filterGroups must have at most {MOST_GROUPS} groups": len(groups) > MOST_GROUPS,
        f"A filter group must have at most {MOST_FILTERS} filters": max(sizes, default=0) > MOST_FILTERS,
        f"A search must have at most {MOST_FILTERS_IN_ALL} filters": sum(sizes) > MOST_FILTERS_IN_ALL,
        f"query must have at most {LONGEST_QUERY} characters": len(query) > LONGEST_QUERY,
        "At most one sort is supported": not isinstance(sorts, list) or len(sorts) > 1,
    }
    for message, broken in rules.items():
        if broken:
            raise invalid(f"There was a problem with the request. {message}.")
    tests = [[_test(call, kind, described) for described in filters] for filters in groups]
    name, descending = _sorting(kind, sorts)
    _defined(call, kind, name)
    return _SearchRequest(tests, query.lower().split(), name, descending, limit, after)


def _sorting(kind: Kind, sorts: list[Any]) -> tuple[str, bool]:
    if not sorts:
        return kind.created, False
    if isinstance(sorts[0], str):
        return sorts[0].lstrip("-"), sorts[0].startswith("-")
    (sort,) = objects({"sorts": sorts}, "sorts")
    return text(sort, "propertyName"), sort.get("direction") == "DESCENDING"


def _matches(kind: Kind, wanted: _SearchRequest, values: Mapping[str, str], record: Record) -> bool:
    if wanted.query:
        shown = " ".join(values.get(name, "") for name in kind.searched).lower()
        if not all(word in shown for word in wanted.query):
            return False
    return not wanted.groups or any(all(test(values, record) for test in group) for group in wanted.groups)


def _sort(call: Call, kind: Kind, wanted: _SearchRequest, found: list[tuple[Record, Mapping[str, str]]]) -> None:
    comparable = _comparing(_defined(call, kind, wanted.sort))
    missing = float("-inf")

    def key(pair: tuple[Record, Mapping[str, str]]) -> tuple[bool, Any, int]:
        value = comparable(pair[1].get(wanted.sort, ""))
        return value is not None, missing if value is None else value, int(pair[0].id)

    found.sort(key=key, reverse=wanted.descending)


# -------------------------------------------------------------------------------- filters


def _test(call: Call, kind: Kind, described: Mapping[str, Any]) -> Test:
    name, operator = text(described, "propertyName"), text(described, "operator")
    if name.startswith("associations."):
        return _associated(call, kind, name, operator, described)
    if operator not in _OPERATORS:
        raise invalid(f"There was a problem with the request. Unknown operator {operator}.")
    return _OPERATORS[operator](name, _defined(call, kind, name), described)


def _defined(call: Call, kind: Kind, name: str) -> Property:
    definition = call.schema(kind).get(name)
    if definition is None:
        message = f'Property "{name}" does not exist'
        detail = {"message": message, "code": "PROPERTY_DOESNT_EXIST", "context": {"propertyName": [name]}}
        raise invalid(f"There was a problem with the request. {message}.", errors=[detail])
    return definition


def _comparing(definition: Property) -> Callable[[str], Comparable | None]:
    """The comparable form of values of a property: numbers and times by size, text in lower case."""
    if definition.type == "number":
        return _number
    return _timestamp if definition.type in ("date", "datetime") else _lower


def _parts(definition: Property) -> Callable[[str], list[Comparable | None]]:
    """The forms that a value equals: for a multi-select each choice and the whole value."""
    comparable = _comparing(definition)
    if definition.field_type == "checkbox":
        return lambda value: [comparable(each) for each in {value, *value.split(";")} if each]
    return lambda value: [comparable(value)] if value else []


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _timestamp(value: str) -> float | None:
    return milliseconds(value) if value else None


def _lower(value: str) -> str | None:
    return value.lower() if value else None


def _value(described: Mapping[str, Any], key: str, comparable: Callable[[str], Comparable | None]) -> Any:
    value = comparable(text(described, key))
    if value is None:
        name = described.get("propertyName")
        raise invalid(
            f"Invalid input JSON on line 1, column 1: {key} must be non-empty and non-blank, if specified "
            f"{{propertyName: '{name}'}}"
        )
    return value


def _order(compare: Callable[[Any, Any], bool]) -> Callable[..., Test]:
    def build(name: str, definition: Property, described: Mapping[str, Any]) -> Test:
        comparable = _comparing(definition)
        bound = _value(described, "value", comparable)

        def test(values: Mapping[str, str], _record: Record) -> bool:
            value = comparable(values.get(name, ""))
            return value is not None and compare(value, bound)

        return test

    return build


def _equal(negated: bool) -> Callable[..., Test]:
    def build(name: str, definition: Property, described: Mapping[str, Any]) -> Test:
        bound, parts = _value(described, "value", _comparing(definition)), _parts(definition)
        return lambda values, _record: (bound in parts(values.get(name, ""))) is not negated

    return build


def _between(name: str, definition: Property, described: Mapping[str, Any]) -> Test:
    comparable = _comparing(definition)
    low, high = _value(described, "value", comparable), _value(described, "highValue", comparable)

    def test(values: Mapping[str, str], _record: Record) -> bool:
        value: Any = comparable(values.get(name, ""))
        return value is not None and low <= value <= high

    return test


def _in(negated: bool) -> Callable[..., Test]:
    def build(name: str, definition: Property, described: Mapping[str, Any]) -> Test:
        comparable, parts = _comparing(definition), _parts(definition)
        listed = texts(described, "values")
        if not listed or len(listed) > MOST_VALUES:
            raise invalid(f"There was a problem with the request. values must have 1 to {MOST_VALUES} entries.")
        bounds = {comparable(each) for each in listed} - {None}

        def test(values: Mapping[str, str], _record: Record) -> bool:
            value = values.get(name, "")
            return value != "" and any(part in bounds for part in parts(value)) is not negated

        return test

    return build


def _has(wanted: bool) -> Callable[..., Test]:
    return lambda name, _definition, _described: lambda values, _record: bool(values.get(name)) is wanted


def _token(negated: bool) -> Callable[..., Test]:
    def build(name: str, _definition: Property, described: Mapping[str, Any]) -> Test:
        word = str(_value(described, "value", _lower))
        pattern = re.compile(".*".join(re.escape(part) for part in word.split("*")) + r"\Z")

        def test(values: Mapping[str, str], _record: Record) -> bool:
            value = values.get(name, "").lower()
            words = [value, *re.split(r"[^\w]+", value)]
            return any(pattern.match(each) for each in words if each) is not negated

        return test

    return build


def _associated(call: Call, kind: Kind, name: str, operator: str, described: Mapping[str, Any]) -> Test:
    other = call.portal.contents.kind(name.partition(".")[2])
    if other is None or operator not in ("EQ", "IN"):
        raise invalid(f"There was a problem with the request. {name} {operator} cannot be searched for.")
    ids = {text(described, "value")} if operator == "EQ" else set(texts(described, "values"))
    found = call.portal.contents.associations
    return lambda _values, record: any(to in ids for to, _ in found.of((kind.name, record.id), other.name))


_OPERATORS: dict[str, Callable[..., Test]] = {
    "EQ": _equal(negated=False),
    "NEQ": _equal(negated=True),
    "LT": _order(lambda a, b: bool(a < b)),
    "LTE": _order(lambda a, b: bool(a <= b)),
    "GT": _order(lambda a, b: bool(a > b)),
    "GTE": _order(lambda a, b: bool(a >= b)),
    "BETWEEN": _between,
    "IN": _in(negated=False),
    "NOT_IN": _in(negated=True),
    "HAS_PROPERTY": _has(wanted=True),
    "NOT_HAS_PROPERTY": _has(wanted=False),
    "CONTAINS_TOKEN": _token(negated=False),
    "NOT_CONTAINS_TOKEN": _token(negated=True),
}
