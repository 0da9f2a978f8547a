"""Three-valued comparison operators: unknown (None) when a value is missing or of another kind."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Literal, cast

from connectors.base.values import finite_number
from worker.language.expression import Read
from worker.language.values import Fields, Value, as_utc, midnight

Truth = bool | None
Predicate = Callable[[Fields], Truth]
Kind = Literal["number", "text", "bool", "date", "datetime"]
"""What a test compares with."""

Op = Literal["is", "is not", "<", "<=", ">", ">=", "in", "not in", "between", "is missing", "is known"]

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "is": operator.eq,
    "is not": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def kind_of(value: Value) -> Kind:
    """The kind of a value that is known."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "text"
    if isinstance(value, datetime):
        return "datetime"
    return "date" if isinstance(value, date) else "number"


def comparable(value: Value, kind: Kind) -> bool:
    """Whether ``value`` can be compared with something of ``kind`` at all."""
    return _NORMAL[kind](value) is not None


def compile_test(read: Read, op: Op, values: tuple[Value, ...], kind: Kind | None) -> Predicate:
    """A function of an account's fields that answers the test. ``kind`` is None for a test without values."""
    if op == "is missing":
        return lambda fields: _is_missing(read(fields))
    if op == "is known":
        return lambda fields: not _is_missing(read(fields))
    normal = _NORMAL[cast("Kind", kind)]
    wanted = tuple(normal(value) for value in values)
    if op in {"in", "not in"}:
        return _membership(read, normal, frozenset(wanted), op == "in")
    if op == "between":
        return _between(read, normal, wanted[0], wanted[1])
    return _comparison(read, normal, _ORDER[op], wanted[0])


def _comparison(
    read: Read, normal: Callable[[Value], Any], compare: Callable[[Any, Any], bool], wanted: Any
) -> Predicate:
    def run(fields: Fields) -> Truth:
        value = normal(read(fields))
        return None if value is None else compare(value, wanted)

    return run


def _membership(read: Read, normal: Callable[[Value], Any], wanted: frozenset[Any], inside: bool) -> Predicate:
    def run(fields: Fields) -> Truth:
        value = normal(read(fields))
        return None if value is None else (value in wanted) is inside

    return run


def _between(read: Read, normal: Callable[[Value], Any], low: Any, high: Any) -> Predicate:
    def run(fields: Fields) -> Truth:
        value = normal(read(fields))
        return None if value is None else bool(low <= value <= high)

    return run


def _is_missing(value: Value) -> bool:
    return value is None or (isinstance(value, float) and not finite_number(value))


def _number(value: Value) -> Any:
    return value if finite_number(value) else None


def _text(value: Value) -> Any:
    return value.strip().casefold() if isinstance(value, str) else None


def _bool(value: Value) -> Any:
    return value if isinstance(value, bool) else None


def _day(value: Value) -> Any:
    if isinstance(value, datetime):
        moment = _moment(value)
        return None if moment is None else moment.date()
    return value if isinstance(value, date) else None


def _moment(value: Value) -> Any:
    if isinstance(value, datetime):
        try:
            return as_utc(value)
        except OverflowError:  # the first or last hours of the calendar have no UTC counterpart
            return None
    return midnight(value) if isinstance(value, date) else None


_NORMAL: dict[Kind, Callable[[Value], Any]] = {
    "number": _number,
    "text": _text,
    "bool": _bool,
    "date": _day,
    "datetime": _moment,
}
