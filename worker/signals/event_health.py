"""Which measurements cannot be known because their events never occurred, or no longer do."""

from __future__ import annotations

from worker.settings.signals import SignalsSettings
from worker.signals.data_report import DataReport
from worker.signals.measurements import Measurement, properties_of

_FEWER_WITH_FEWER = frozenset({"count", "users", "days", "user_days", "kinds", "sum", "roles", "decayed"})
"""Measures that are lower where events are missing."""


def is_unknown(measurement: Measurement, report: DataReport, absent: frozenset[str]) -> bool:
    """Whether its events are missing, or none of them ever occurred and they are not among ``absent``."""
    if is_missing(measurement, report):
        return True
    if measurement.events is None or not report.events:
        return False
    return not (report.events.keys() | absent) & set(measurement.events)


def is_missing(measurement: Measurement, report: DataReport) -> bool:
    """Whether an event of ``measurement`` stopped, or one of its properties, or its window lost too many events."""
    if report.stopped.keys() & set(measurement.events or ()) or _lost(measurement, report):
        return True
    lost = {prop for event, prop in report.stopped_properties if event in (measurement.events or (event,))}
    return measurement.table == "events" and bool(lost & properties_of(measurement))


def _lost(measurement: Measurement, report: DataReport) -> bool:
    start, end = measurement.window.start, measurement.window.end
    if measurement.table != "events" or measurement.measure not in _FEWER_WITH_FEWER or start is None:
        return False
    return report.silent.lost(start, end) > report.silent.allowed


def may_be_absent(signals: SignalsSettings) -> frozenset[str]:
    """The events of which a company may rightly have none."""
    events = {event for name in signals.may_be_absent for event in signals.event_lists.get(name, [name])}
    names = signals.names_of_spellings
    return frozenset(names.get(event, event) for event in events)
