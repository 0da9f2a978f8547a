"""How often every event occurred, and on which days lately."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import sqlalchemy as sa

from worker.signals.constructs import DayOf
from worker.signals.data_report import EventFindings
from worker.signals.decode import moment as as_moment
from worker.signals.mapping import Catalogue
from worker.signals.rows import before, not_before
from worker.signals.windows import last_full_day, midnight, offsets
from worker.telemetry.steps import report_step

_WEEKS = 5
MOST_NAMES = 5000
"""Events with other names than the most frequent ones are left out."""


def occurrences(catalogue: Catalogue, as_of: datetime) -> dict[str, EventFindings]:
    """The events before ``as_of`` by name, the most frequent ones where there are too many names."""
    report_step("counting events by name and day")
    events, zone = catalogue.events.read_once(), catalogue.product.zone
    name, when = events.text("name"), events.time("occurred_at")
    known = (name.is_not(None), before(when, as_of))
    named = sa.select(name.label("e"), when.label("w")).select_from(events.rows).where(*known).subquery("s_named")
    totals = sa.select(named.c.e, sa.func.count(), sa.func.min(named.c.w), sa.func.max(named.c.w)).group_by(named.c.e)
    rows = catalogue.engine.run(totals.order_by(sa.func.count().desc(), named.c.e).limit(MOST_NAMES))
    last = last_full_day(as_of, zone)
    since = midnight(last - timedelta(weeks=_WEEKS) + timedelta(days=1), zone)
    shifts = offsets(zone, since, as_of) if catalogue.product.time_zone != "UTC" else []
    day = DayOf(when, catalogue.product.time_zone, shifts)
    by_day = sa.select(name.label("e"), day.label("d")).select_from(events.rows)
    inside = by_day.where(*known, not_before(when, since)).subquery("s_by_day")
    counts = sa.select(inside.c.e, inside.c.d, sa.func.count()).group_by(inside.c.e, inside.c.d)
    days: dict[str, dict[date, int]] = {}
    for event, on, number in catalogue.engine.run(counts):
        days.setdefault(str(event), {})[on if isinstance(on, date) else date.fromisoformat(str(on))] = int(number)
    return {
        str(event): EventFindings(
            name=str(event),
            total=int(number),
            first=as_moment(first),
            last=as_moment(latest),
            days=days.get(str(event), {}),
        )
        for event, number, first, latest in rows
    }
