"""Runs parsed queries on the records and fields that the integration user may see."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from connectors.sandbox.salesforce import ids
from connectors.sandbox.salesforce.errors import RequestRejected, rejected_at
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.schema import NUMBER_TYPES, Field, ObjectType
from connectors.sandbox.salesforce.soql import Compare, Condition, Literal, Path, Query
from connectors.sandbox.salesforce.table import Record, fold
from connectors.sandbox.salesforce.values import stamp

Test = Callable[[Record], bool]
_ARCHIVED_AFTER_DAYS = 365
_NAME_FIELDS = frozenset({"Id", "Name", "FirstName", "LastName", "Email", "IsActive", "Username", "Title", "Phone"})
_HINT = (
    "If you are attempting to use a custom {what}, be sure to append the '__c' after the {after} name. "
    "Please reference your WSDL or the describe call for the appropriate names."
)


@dataclass(frozen=True, slots=True)
class Column:
    """A selected or compared field: the parents on its path and the field."""

    parents: tuple[Field, ...]
    field: Field

    def read(self, org: Org, record: Record | None) -> Any:
        """Its value for a record; None when a parent is missing."""
        for parent in self.parents:
            record = org.record(record.get(parent.name)) if record else None
        return record.get(self.field.name) if record else None


@dataclass(frozen=True, slots=True)
class Found:
    """Every record that a query finds, in order, and the selected columns."""

    kind: ObjectType
    columns: tuple[Column, ...]
    records: list[Record]


def run(org: Org, query: Query, everything: bool, tooling: bool = False) -> Found:
    """Find the records; ``everything`` includes deleted and archived ones (queryAll). Raises `RequestRejected`."""
    kind = org.catalogue.find(query.object, tooling)
    if kind is None or kind.name in org.options.hidden_objects:
        raise _unknown_object(query)
    columns = tuple(resolve(org, kind, path, query.text) for path in query.paths)
    _check_twice(query, columns)
    test = compile_condition(org, kind, query.where, query.text) if query.where else None
    found = [
        record
        for record in _candidates(org, kind, query.where, everything)
        if (everything or not _hidden(org, kind, record)) and (test is None or test(record))
    ]
    for order in reversed(query.order):
        found = _sorted(org, found, resolve(org, kind, order.path, query.text), order.descending, order.nulls_last)
    end = None if query.limit is None else query.offset + query.limit
    return Found(kind, columns, found[query.offset : end])


def resolve(org: Org, kind: ObjectType, path: Path, text: str = "") -> Column:
    """The column a path names. Raises `RequestRejected` for a field or parent that does not exist or is not visible."""
    parents: list[Field] = []
    for relationship in path.names[:-1]:
        parent = kind.parent(relationship)
        if parent is None or org.access(kind).find(parent.name) is None:
            message = f"Didn't understand relationship '{relationship}' in field path. " + _HINT.format(
                what="relationship", after="custom relationship"
            ).replace("'__c'", "'__r'")
            raise rejected_at(text, path.at, "INVALID_FIELD", message)
        parents.append(parent)
        kind = org.catalogue.types[parent.reference_to[0]]
    name = path.names[-1]
    field = org.access(kind).find(name)
    polymorphic = bool(parents) and len(parents[-1].reference_to) > 1
    if field is None or (polymorphic and field.name not in _NAME_FIELDS):
        entity = "Name" if polymorphic else kind.name
        message = f"No such column '{name}' on entity '{entity}'. " + _HINT.format(what="field", after="custom field")
        raise rejected_at(text, path.at, "INVALID_FIELD", message)
    return Column(tuple(parents), field)


def compile_condition(org: Org, kind: ObjectType, condition: Condition, text: str = "") -> Test:
    """A test of one record. Raises `RequestRejected` for unknown fields and literals of the wrong type."""
    if isinstance(condition, Compare):
        return _compile_comparison(org, kind, condition, text)
    tests = [compile_condition(org, kind, part, text) for part in condition.parts]
    if condition.op == "not":
        return lambda record: not tests[0](record)
    combine = all if condition.op == "and" else any
    return lambda record: combine(test(record) for test in tests)


def _compile_comparison(org: Org, kind: ObjectType, compare: Compare, text: str) -> Test:
    column = resolve(org, kind, compare.path, text)
    field, name = column.field, column.field.name
    if field.type == "textarea" and field.length > 255:
        message = f"field '{name}' can not be filtered in a query call"
        raise rejected_at(text, compare.path.at, "INVALID_FIELD", message)
    ranges = [_range(org, field, literal, text, compare.path.at) for literal in compare.literals]
    holds = _operator(field, compare.op, ranges, compare.literals)
    if column.parents:
        return lambda record: holds(column.read(org, record))
    return lambda record: holds(record.get(name))


def _operator(
    field: Field, op: str, ranges: list[tuple[Any, Any]], literals: tuple[Literal, ...]
) -> Callable[[Any], bool]:
    low, high = ranges[0]
    if op == "like":
        pattern = _like(str(literals[0].value))
        return lambda value: value is not None and bool(pattern.match(value))
    if op in ("in", "not in"):
        points = {below for below, above in ranges if below == above}
        spans = [span for span in ranges if span[0] != span[1]]

        def among(value: Any) -> bool:
            value = fold(field, value)
            return value in points or (value is not None and any(a <= value < b for a, b in spans))

        return among if op == "in" else lambda value: not among(value)
    if op in ("=", "!="):

        def equal(value: Any) -> bool:
            value = fold(field, value)
            return bool(value == low if low == high else value is not None and low <= value < high)

        return equal if op == "=" else lambda value: not equal(value)
    tests: dict[str, Callable[[Any], Any]] = {
        "<": lambda value: value < low,
        ">=": lambda value: value >= low,
        "<=": lambda value: value <= low if low == high else value < high,
        ">": lambda value: value > low if low == high else value >= high,
    }
    test = tests[op]
    return lambda value: value is not None and low is not None and bool(test(fold(field, value)))


def _range(org: Org, field: Field, literal: Literal, text: str, at: int) -> tuple[Any, Any]:
    """The range of a literal: start and end (excluded); the same value twice for a single value."""
    if literal.kind == "null":
        return None, None
    wanted = _literal_kind(field)
    if literal.kind == "named" and wanted in ("date", "datetime"):
        return _named_range(org, literal, wanted)
    if literal.kind != wanted:
        quotes = "should be enclosed in quotes" if wanted == "string" else "should not be enclosed in quotes"
        type_name = {"number": "double", "datetime": "dateTime"}.get(wanted, wanted)
        message = f"value of filter criterion for field '{field.name}' must be of type {type_name} and {quotes}"
        raise rejected_at(text, at, "INVALID_FIELD", message)
    value = literal.value
    if field.type in ("id", "reference"):
        value = ids.canonical(value) if value else None
        if value is None:
            message = f"invalid ID field: {literal.value}"
            raise rejected_at(text, at, "INVALID_QUERY_FILTER_OPERATOR", message)
    elif value == "":
        value = None
    return fold(field, value), fold(field, value)


def _literal_kind(field: Field) -> str:
    if field.type in NUMBER_TYPES:
        return "number"
    return field.type if field.type in ("boolean", "date", "datetime") else "string"


def _named_range(org: Org, literal: Literal, wanted: str) -> tuple[str, str]:
    today = org.sim.clock.now().date()
    spans = {
        "today": (0, 1),
        "yesterday": (-1, 0),
        "tomorrow": (1, 2),
        "last_n_days": (-literal.n, 1),
        "next_n_days": (1, literal.n + 1),
        "n_days_ago": (-literal.n, 1 - literal.n),
    }
    first, end = (today + timedelta(days=days) for days in spans[literal.value])
    return (first.isoformat(), end.isoformat()) if wanted == "date" else (_midnight(first), _midnight(end))


def _midnight(day: date) -> str:
    return stamp(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _candidates(org: Org, kind: ObjectType, where: Condition | None, everything: bool) -> Iterable[Record]:
    table = org.tables[kind.name]
    parts = [where] if isinstance(where, Compare) else where.parts if where and where.op == "and" else []
    for part in parts:
        if not isinstance(part, Compare) or len(part.path.names) > 1 or part.op not in ("=", "in"):
            continue
        field = org.access(kind).find(part.path.names[0])
        if field is None or not field.indexed or any(literal.kind != "string" for literal in part.literals):
            continue
        if field.name == "Id":
            keys = dict.fromkeys(ids.canonical(literal.value) for literal in part.literals)
            return [table.records[key] for key in keys if key in table.records]
        if not everything:
            found = [record_id for literal in part.literals for record_id in table.having(field, literal.value)]
            return [table.records[record_id] for record_id in dict.fromkeys(found)]
    return table.records.values()


def _hidden(org: Org, kind: ObjectType, record: Record) -> bool:
    if record["IsDeleted"]:
        return True
    if kind.name != "Task":
        return False
    if record.get("IsArchived"):
        return True
    if not record.get("IsClosed"):
        return False
    oldest = (org.sim.clock.now() - timedelta(days=_ARCHIVED_AFTER_DAYS)).date().isoformat()
    return str(record.get("ActivityDate") or record["CreatedDate"])[:10] < oldest


def _sorted(org: Org, records: list[Record], column: Column, descending: bool, nulls_last: bool) -> list[Record]:
    keyed = [(column.read(org, record), record) for record in records]
    empty = [record for value, record in keyed if value is None]
    full = [(value, record) for value, record in keyed if value is not None]
    full.sort(key=lambda pair: fold(column.field, pair[0]), reverse=descending)
    ordered = [record for _, record in full]
    return [*ordered, *empty] if nulls_last else [*empty, *ordered]


def _like(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\\[%_]|[%_])", pattern)
    signs = {"%": ".*", "_": "."}
    expression = "".join(signs.get(part) or re.escape(part.removeprefix("\\")) for part in parts)
    return re.compile(expression + r"\Z", re.IGNORECASE | re.DOTALL)


def _check_twice(query: Query, columns: tuple[Column, ...]) -> None:
    seen: set[tuple[str, ...]] = set()
    for path, column in zip(query.paths, columns, strict=True):
        key = (*(parent.name for parent in column.parents), column.field.name)
        if key in seen:
            raise rejected_at(query.text, path.at, "INVALID_FIELD", f"duplicate field selected: {column.field.name}")
        seen.add(key)


def _unknown_object(query: Query) -> RequestRejected:
    message = f"sObject type '{query.object}' is not supported. " + _HINT.format(what="object", after="entity")
    return rejected_at(query.text, query.object_at, "INVALID_TYPE", message)
