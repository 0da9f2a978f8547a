"""What is measured, free of any SQL: one measurement per signal and per function of an event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from worker.language.need import Decay, Need
from worker.settings.product_schema import SCHEMA
from worker.settings.signals import AnyMeasure, RowTest, Scalar, Signal, SignalsSettings
from worker.signals.mapped_table import MappedTable
from worker.signals.mapping import Catalogue
from worker.signals.windows import Window, ever, last_days, previous_days, until_now

_TIMED = frozenset({"first", "last", "latest", "days", "user_days"})
OF_PEOPLE = frozenset({"users", "user_days", "roles", "top_user", "top_user_share"})
"""Measures that ask whose a row is."""
_OF_STATES = frozenset({"ever", "first", "last", "latest", "top"})
"""Measures that say how things are at ``as_of``: their window takes in the day that has begun."""
_MADE_OF = {
    "state": ("term_end", "ended_at", "cancelled_at", "trial_end", "status"),
    "paying": ("mrr",),
    "trialing": ("trial_end", "trial_start", "status"),
    "renews": ("term_end", "ended_at", "cancelled_at", "status"),
    "renews_at": ("term_end",),
    "trial_ends_at": ("trial_end",),
}
"""Per computed column of subscriptions, the mapped columns of which one is needed."""
Tests = tuple[tuple[str, RowTest], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One number, date or text about every account, from the rows of one table."""

    name: str
    table: str
    measure: AnyMeasure
    window: Window
    events: tuple[str, ...] | None = None
    where: Tests = ()
    that: Tests = ()
    column: str | None = None
    at: str | None = None
    """Our name of the row's time; None for tables without one."""
    current: bool = False
    turn: Literal["days_since", "days_until"] | None = None
    when_none: Scalar | None = None
    decay: Decay | None = None
    """Only ``decayed``: how the events fade."""

    @property
    def by_time(self) -> bool:
        """Whether a row counts by its own time: it happened before ``as_of``, or inside the window.

        Otherwise it counts from its start on; a row without a start counts always.
        """
        if self.window.start is not None or self.measure in _TIMED:
            return True
        return self.at is not None and not self.current and not SCHEMA[self.table].since

    @property
    def bounded(self) -> bool:
        """Whether only rows since some moment can matter, so that older ones need not be read."""
        return self.window.start is not None and self.at == SCHEMA[self.table].at and not self.current


@dataclass(frozen=True, slots=True)
class MissingMapping:
    """Why some measurements cannot be known: a table or column that is not mapped."""

    table: str
    column: str | None = None


_OF_EVENTS: Mapping[str, AnyMeasure] = {
    "count": "count",
    "users": "users",
    "days_since": "last",
    "first": "first",
    "decayed": "decayed",
}
"""How each function of an event is measured."""
_HALF_LIVES = 10
"""What is older counts less than a thousandth, and is not read."""
_ALL_DAYS = 36_500
"""No event that is believed is older."""


def measurements_of(
    settings: SignalsSettings, needs: Iterable[Need], as_of: datetime, zone: ZoneInfo
) -> list[Measurement]:
    """Every measured signal and every ``count``, ``users``, ``days_since`` and ``first`` that is used."""
    measurements = [
        _from_signal(settings, name, signal, as_of, zone)
        for name, signal in settings.signals.items()
        if signal.of is None
    ]
    asked = {need.key: need for need in needs if need.kind in _OF_EVENTS}
    names = settings.names_of_spellings
    return measurements + [_from_need(asked[key], names, as_of, zone) for key in sorted(asked)]


def _from_signal(settings: SignalsSettings, name: str, signal: Signal, as_of: datetime, zone: ZoneInfo) -> Measurement:
    assert signal.from_ is not None  # noqa: S101 - the model sees to it
    assert signal.measure is not None  # noqa: S101 - the model sees to it
    return Measurement(
        name=name,
        table=signal.from_,
        measure=signal.measure,
        window=_window(signal, as_of, zone),
        events=settings.event_names(signal),
        where=tuple(sorted(signal.where.items())),
        that=tuple(sorted(signal.that.items())),
        column=signal.column,
        at=signal.at or SCHEMA[signal.from_].at,
        current=signal.is_current,
        turn=signal.as_,
        when_none=signal.when_none,
    )


def _window(signal: Signal, as_of: datetime, zone: ZoneInfo) -> Window:
    if signal.days is None:
        return ever(as_of)
    if signal.previous:
        return previous_days(signal.days, as_of, zone)
    to_now = signal.days == 0 or signal.measure in _OF_STATES
    return (until_now if to_now else last_days)(signal.days, as_of, zone)


def _from_need(need: Need, names: Mapping[str, str], as_of: datetime, zone: ZoneInfo) -> Measurement:
    return Measurement(
        name=need.key,
        table="events",
        measure=_OF_EVENTS[need.kind],
        window=_window_of_need(need, as_of, zone),
        events=(names.get(need.name, need.name),),
        at="occurred_at",
        turn="days_since" if need.kind == "days_since" else None,
        decay=need.decay,
    )


def _window_of_need(need: Need, as_of: datetime, zone: ZoneInfo) -> Window:
    if need.decay is not None:
        days = _HALF_LIVES * need.decay.half_life // timedelta(days=1) + 1
        return until_now(min(days, _ALL_DAYS), as_of, zone)
    return ever(as_of) if need.days is None else last_days(need.days, as_of, zone)


def properties_of(measurement: Measurement) -> frozenset[str]:
    """The properties of events that ``measurement`` reads, as ``props.x``."""
    tested = (column for column, _ in (*measurement.where, *measurement.that))
    return frozenset(column for column in (*tested, measurement.column or "") if column.startswith("props."))


def missing_mapping(measurement: Measurement, catalogue: Catalogue) -> MissingMapping | None:
    """The first thing ``measurement`` needs that is not mapped; None when it can be measured."""
    mapping = catalogue.product.mapped().get(measurement.table)
    if mapping is None:
        return MissingMapping(measurement.table)
    if mapping.from_ is None:
        table = catalogue.table(measurement.table)
        assert table is not None  # noqa: S101 - mapped and not from events
        for column in _columns(measurement, table):
            if not table.has(column):
                return MissingMapping(measurement.table, column)
    elif set(_named(measurement)) - {"user_id", "added_at"}:
        return MissingMapping(measurement.table, min(set(_named(measurement)) - {"user_id", "added_at"}))
    return next(_missing_elsewhere(measurement, catalogue), None)


def _named(measurement: Measurement) -> Iterator[str]:
    yield from (column for column, _ in (*measurement.where, *measurement.that))
    if measurement.column is not None and measurement.measure != "top_user":
        yield measurement.column
    if measurement.measure in OF_PEOPLE:
        yield "user_id"


def _columns(measurement: Measurement, table: MappedTable) -> Iterator[str]:
    """The columns of its own table that ``measurement`` needs, of alternatives the one that is mapped."""
    schema = SCHEMA[measurement.table]
    for column in _named(measurement):
        if measurement.table == "subscriptions" and column in _MADE_OF:
            yield next(filter(table.has, _MADE_OF[column]), _MADE_OF[column][0])
        else:
            yield column
    if measurement.at is not None and measurement.by_time:
        yield measurement.at
    if measurement.current and schema.needs_until:
        yield next(filter(table.has, (*schema.until, "status")), schema.until[0])


def _missing_elsewhere(measurement: Measurement, catalogue: Catalogue) -> Iterator[MissingMapping]:
    wanted = {"roles": ("memberships", ("role", "user_id")), "top_user": ("users", (measurement.column or "email",))}
    if measurement.measure not in wanted or (measurement.measure, measurement.column) == ("top_user", "user_id"):
        return
    name, columns = wanted[measurement.measure]
    table = catalogue.table(name)
    if table is None:
        yield MissingMapping(name, columns[0] if name in catalogue.product.mapped() else None)
    else:
        yield from (MissingMapping(name, column) for column in columns if not table.has(column))
