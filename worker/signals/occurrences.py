"""How often events occurred: every name in all, and on which days lately; all of them together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from worker.signals.constructs import Column, DayOf
from worker.signals.data_report import EventFindings
from worker.signals.decode import moment as as_moment
from worker.signals.mapped_table import MappedTable
from worker.signals.mapping import Catalogue
from worker.signals.rows import delivered, not_before
from worker.signals.windows import last_full_day, midnight, offsets
from worker.telemetry.steps import report_step

_WEEKS = 5
MOST_NAMES = 5000
"""Events with other names than the most frequent ones are left out, in all and of each day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrences:
    """The events by name; and of all events, also of those without a name, what the names cannot say."""

    by_name: Mapping[str, EventFindings]
    total: int = 0
    first: datetime | None = None
    last: datetime | None = None
    days: Mapping[date, int]


def occurrences(catalogue: Catalogue, as_of: datetime) -> Occurrences:
    """The events that had happened and arrived by ``as_of``. Raises SourceError."""
    report_step("counting events by name and day")
    events = catalogue.events
    totals = catalogue.engine.run(_totals(events, as_of))
    by_name, by_day = _days(catalogue, events, as_of)
    found = {
        str(name): EventFindings(
            name=str(name),
            total=int(number),
            first=as_moment(first),
            last=as_moment(last),
            days=by_name.get(str(name), {}),
        )
        for name, number, first, last, *_ in totals
        if name is not None
    }
    if not totals:
        return Occurrences(by_name=found, days=by_day)
    total, first, last = totals[0][4:]
    return Occurrences(by_name=found, total=int(total), first=as_moment(first), last=as_moment(last), days=by_day)


def _totals(events: MappedTable, as_of: datetime) -> sa.Select[tuple[object, ...]]:
    """Per name its number, the first and the last, then these three of all events."""
    when = events.time("occurred_at")
    named = sa.select(events.text("name").label("e"), when.label("w")).select_from(events.rows)
    rows = named.where(*delivered(events, as_of)).subquery("s_named")
    counts = (sa.func.count().label("n"), sa.func.min(rows.c.w).label("f"), sa.func.max(rows.c.w).label("l"))
    each = sa.select(rows.c.e, *counts).group_by(rows.c.e).subquery("s_names")
    whole: list[Column] = [sa.func.sum(each.c.n).over(), sa.func.min(each.c.f).over(), sa.func.max(each.c.l).over()]
    return sa.select(*each.c, *whole).order_by(each.c.n.desc(), each.c.e).limit(MOST_NAMES)


def _days(
    catalogue: Catalogue, events: MappedTable, as_of: datetime
) -> tuple[dict[str, dict[date, int]], dict[date, int]]:
    """How many events each of the last weeks' days has: by name, and in all."""
    zone = catalogue.product.zone
    since = midnight(last_full_day(as_of, zone) - timedelta(weeks=_WEEKS) + timedelta(days=1), zone)
    shifts = offsets(zone, since, as_of) if catalogue.product.time_zone != "UTC" else []
    when = events.time("occurred_at")
    day = DayOf(when, catalogue.product.time_zone, shifts)
    dated = sa.select(events.text("name").label("e"), day.label("d")).select_from(events.rows)
    rows = dated.where(*delivered(events, as_of), not_before(when, since)).subquery("s_by_day")
    each = sa.select(rows.c.e, rows.c.d, sa.func.count().label("n")).group_by(rows.c.e, rows.c.d).subquery("s_days")
    place = sa.func.row_number().over(partition_by=each.c.d, order_by=[each.c.n.desc(), each.c.e])
    whole = sa.func.sum(each.c.n).over(partition_by=each.c.d)
    placed = sa.select(*each.c, whole.label("t"), place.label("p")).subquery("s_placed")
    frequent = sa.select(placed.c.e, placed.c.d, placed.c.n, placed.c.t).where(placed.c.p <= MOST_NAMES)
    by_name: dict[str, dict[date, int]] = {}
    in_all: Counter[date] = Counter()
    for name, written, number, total in catalogue.engine.run(frequent):
        on = written if isinstance(written, date) else date.fromisoformat(str(written))
        in_all[on] = int(total)
        if name is not None:
            by_name.setdefault(str(name), {})[on] = int(number)
    return by_name, in_all
