"""Properties of events that a signal adds up or compares as numbers, and those that are none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from worker.settings.signals import OF_NUMBERS, SignalsSettings, needs_number
from worker.signals.constructs import Column
from worker.signals.data_report import ColumnFindings, example_of
from worker.signals.engines import Engine
from worker.signals.mapped_table import MappedTable

NumberProperties = Mapping[str, frozenset[str]]
"""``props.x`` → the events of which it has to be a number; no names: of all events."""


def number_properties(signals: SignalsSettings) -> NumberProperties:
    """The properties that ``signals`` need as numbers."""
    found: dict[str, frozenset[str]] = {}
    for signal in signals.signals.values():
        tests = (*signal.where.items(), *signal.that.items())
        columns = [column for column, test in tests if needs_number(test)]
        columns += [signal.column] if signal.column and signal.measure in OF_NUMBERS else []
        events = frozenset(signals.event_names(signal) or ())
        for column in columns if signal.from_ == "events" else ():
            if column.startswith("props."):
                known = found.get(column, events)
                found[column] = known | events if known and events else frozenset()
    return found


def unreadable_numbers(engine: Engine, events: MappedTable, properties: NumberProperties) -> Iterator[ColumnFindings]:
    """The properties with values that say something and are no number, each with one of them."""
    tests = {column: _no_number(events, column, names) for column, names in properties.items() if events.has(column)}
    if not tests:
        return
    asked: list[Column] = []
    for column, test in tests.items():
        asked += [sa.func.count(sa.case((test, 1))), sa.func.min(sa.case((test, events.text(column))))]
    found: sa.Select[Any] = sa.select(*asked).select_from(events.rows)
    row = engine.run(found)[0]
    for place, column in enumerate(tests):
        many, one = row[2 * place : 2 * place + 2]
        if many:
            yield ColumnFindings(column, int(many), 0, example=example_of(one))


def _no_number(events: MappedTable, column: str, names: frozenset[str]) -> Column:
    test = events.no_number(column)
    return sa.and_(events.text("name").in_(sorted(names)), test) if names else test
