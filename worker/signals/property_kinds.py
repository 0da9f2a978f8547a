"""Properties of events that a signal needs as numbers or flags, and those that are none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from worker.settings.signals import OF_NUMBERS, PropertyKind, SignalsSettings, needed_kind
from worker.signals.constructs import Column
from worker.signals.engines import Engine
from worker.signals.mapped_table import MappedTable
from worker.signals.table_findings import ColumnFindings, example_of

TypedProperties = Mapping[tuple[str, PropertyKind], frozenset[str]]
"""``props.x`` and what it has to be → the events of which it has to; no names: of all events."""


def typed_properties(signals: SignalsSettings) -> TypedProperties:
    """The properties that ``signals`` need as numbers or flags."""
    found: dict[tuple[str, PropertyKind], frozenset[str]] = {}
    for signal in signals.signals.values():
        tests = (*signal.where.items(), *signal.that.items())
        needed = [(column, kind) for column, test in tests if (kind := needed_kind(test))]
        needed += [(signal.column, "number")] if signal.column and signal.measure in OF_NUMBERS else []
        events = frozenset(signals.event_names(signal) or ())
        for one in needed if signal.from_ == "events" else ():
            if one[0].startswith("props."):
                known = found.get(one, events)
                found[one] = known | events if known and events else frozenset()
    return found


def unreadable_properties(engine: Engine, events: MappedTable, properties: TypedProperties) -> Iterator[ColumnFindings]:
    """The properties with values that say something of another kind, each with one of them."""
    tests = {one: _is_no(events, *one, names) for one, names in properties.items() if events.has(one[0])}
    if not tests:
        return
    asked: list[Column] = []
    for (column, _), test in tests.items():
        asked += [sa.func.count(sa.case((test, 1))), sa.func.min(sa.case((test, events.text(column))))]
    found: sa.Select[Any] = sa.select(*asked).select_from(events.rows)
    row = engine.run(found)[0]
    for place, (column, _) in enumerate(tests):
        many, one = row[2 * place : 2 * place + 2]
        if many:
            yield ColumnFindings(column, int(many), 0, example=example_of(one))


def _is_no(events: MappedTable, column: str, kind: PropertyKind, names: frozenset[str]) -> Column:
    test = events.is_no(kind, column)
    return sa.and_(events.text("name").in_(sorted(names)), test) if names else test
