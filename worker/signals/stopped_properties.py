"""Properties that events had until lately and then not at all: renamed, moved, or no longer sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from worker.signals.constructs import Column
from worker.signals.data_report import EventFindings
from worker.signals.decode import moment
from worker.signals.mapping import Catalogue
from worker.signals.rows import delivered, not_before
from worker.signals.windows import last_full_day, midnight

_WEEKS = 5
_FEWEST_WITHOUT = 5
_CHANCE = 1e-3
"""So unlikely must it be that all of the newest events lack the property by chance."""


def stopped_properties(
    catalogue: Catalogue, events: Mapping[str, EventFindings], as_of: datetime
) -> Mapping[tuple[str, str], date]:
    """Event and property (``props.x``) that signals need as a number or flag and that stopped → the last day it had it.

    What share of an event's days had the property before says how likely the silence since is. Raises SourceError.
    """
    props = sorted({prop for prop, _ in catalogue.typed_properties if catalogue.events.has(prop)})
    names = {name for some in catalogue.typed_properties.values() for name in some or events} & events.keys()
    if not props or not names:
        return {}
    zone = catalogue.product.zone
    last_day = last_full_day(as_of, zone)
    since = midnight(last_day - timedelta(weeks=_WEEKS) + timedelta(days=1), zone)
    found: dict[tuple[str, str], date] = {}
    for name, *counts in catalogue.engine.run(_counted(catalogue, props, names, since, as_of)):
        for place, prop in enumerate(props):
            many, latest = int(counts[2 * place] or 0), moment(counts[2 * place + 1])
            last = latest.astimezone(zone).date() if latest else None
            if last is not None and _is_stopped(events[str(name)].days, many, last, last_day):
                found[str(name), prop] = last
    return found


def _counted(
    catalogue: Catalogue, props: Iterable[str], names: Iterable[str], since: datetime, as_of: datetime
) -> sa.Select[Any]:
    """Per event and property: how many of the last weeks have it, and the latest of these."""
    table = catalogue.events
    when, name = table.time("occurred_at"), table.text("name")
    given = [table.says(prop).label(f"s_has_{place}") for place, prop in enumerate(props)]
    lately = sa.select(name.label("e"), when.label("w"), *given).select_from(table.rows)
    rows = lately.where(name.in_(sorted(names)), not_before(when, since), *delivered(table, as_of)).subquery("s_lately")
    has = [rows.c[f"s_has_{place}"] for place in range(len(given))]
    counts: list[Column] = [
        aggregate
        for one in has
        for aggregate in (sa.func.sum(sa.case((one, 1), else_=0)), sa.func.max(sa.case((one, rows.c.w))))
    ]
    return sa.select(rows.c.e, *counts).group_by(rows.c.e)


def _is_stopped(days: Mapping[date, int], many: int, last: date, last_day: date) -> bool:
    """Whether the events of the whole days after ``last`` would not all lack the property by chance."""
    before = sum(number for day, number in days.items() if day <= last)
    without = sum(number for day, number in days.items() if last < day <= last_day)
    if without < _FEWEST_WITHOUT or not before:
        return False
    return float((1 - min(1.0, many / before)) ** without) < _CHANCE
