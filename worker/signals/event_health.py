"""Which measurements cannot be known because their events never occurred, or no longer do."""

from __future__ import annotations

from worker.settings.signals import SignalsSettings
from worker.signals.data_report import DataReport
from worker.signals.measurements import Measurement


def unknown_events(measurement: Measurement, report: DataReport, signals: SignalsSettings) -> tuple[str, ...]:
    """The events that leave ``measurement`` unknown: one that stopped, or all of them where none ever occurred."""
    if measurement.events is None or not report.events:
        return ()
    stopped = tuple(event for event in measurement.events if event in report.stopped)
    if stopped:
        return stopped
    absent = may_be_absent(signals)
    if all(event not in report.events and event not in absent for event in measurement.events):
        return measurement.events
    return ()


def may_be_absent(signals: SignalsSettings) -> frozenset[str]:
    """The events of which a company may rightly have none."""
    events = {event for name in signals.may_be_absent for event in signals.event_lists.get(name, [name])}
    names = signals.names_of_spellings
    return frozenset(names.get(event, event) for event in events)
