"""Which measurements cannot be known because their events never occurred, or no longer do."""

from __future__ import annotations

from worker.settings.signals import SignalsSettings
from worker.signals.data_report import DataReport
from worker.signals.measurements import Measurement


def is_unknown(measurement: Measurement, report: DataReport, absent: frozenset[str]) -> bool:
    """Whether one of its events stopped, or none of them ever occurred and they are not among ``absent``."""
    if measurement.events is None or not report.events:
        return False
    return stopped(measurement, report) or not (report.events.keys() | absent) & set(measurement.events)


def stopped(measurement: Measurement, report: DataReport) -> bool:
    """Whether one of the events of ``measurement`` stopped."""
    return bool(report.stopped.keys() & set(measurement.events or ()))


def may_be_absent(signals: SignalsSettings) -> frozenset[str]:
    """The events of which a company may rightly have none."""
    events = {event for name in signals.may_be_absent for event in signals.event_lists.get(name, [name])}
    names = signals.names_of_spellings
    return frozenset(names.get(event, event) for event in events)
