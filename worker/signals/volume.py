"""How much data there is: what tells a quiet day from a broken pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

import sqlalchemy as sa

from worker.signals.accounts import account_columns, account_rows
from worker.signals.decode import moment as as_moment
from worker.signals.mapping import Catalogue
from worker.signals.rows import arrived, before, not_before
from worker.signals.scan import QueryScope
from worker.signals.windows import last_full_day, midnight

_WEEKS = 4


@dataclass(frozen=True, slots=True)
class Volume:
    """The amount of data at one moment.

    ``usual_same_weekday`` is the median number of events of the four same weekdays before the last full day; None
    when the events do not go back that far.
    """

    events: int
    latest: datetime | None
    last_day_events: int
    usual_same_weekday: float | None
    accounts: int


def measure_volume(catalogue: Catalogue, as_of: datetime) -> Volume:
    """Count events and accounts as of ``as_of``. Raises SourceError."""
    scope = QueryScope(catalogue, as_of)
    events = catalogue.events
    zone = catalogue.product.zone
    last = last_full_day(as_of, zone)
    days = [last - timedelta(weeks=week) for week in range(_WEEKS + 1)]
    when = events.time("occurred_at")
    counts = [
        sa.func.count(
            sa.case(
                (
                    sa.and_(
                        not_before(when, midnight(day, zone)), before(when, midnight(day + timedelta(days=1), zone))
                    ),
                    1,
                )
            )
        )
        for day in days
    ]
    totals = sa.select(sa.func.count(), sa.func.min(when), sa.func.max(when), *counts)
    row = catalogue.engine.run(totals.select_from(events.rows).where(*arrived(events, catalogue, as_of)))[0]
    first = as_moment(row[1])
    usual = None
    if first is not None and first < midnight(days[-1] + timedelta(days=1), zone):
        usual = float(median(row[4 : 4 + _WEEKS]))
    ids = account_rows(scope, account_columns(catalogue)).subquery("s_found")
    accounts = catalogue.engine.run(sa.select(sa.func.count()).select_from(ids))[0][0]
    return Volume(int(row[0]), as_moment(row[2]), int(row[3]), usual, int(accounts))


def usual_between(catalogue: Catalogue, start: datetime, end: datetime, as_of: datetime) -> float | None:
    """How many events are usual in these hours of the week: the median of up to four earlier weeks.

    None when the data does not go back a week. Raises SourceError.
    """
    events = catalogue.events
    when = events.time("occurred_at")
    weeks = [timedelta(weeks=week) for week in range(1, _WEEKS + 1)]
    counts = [
        sa.func.count(sa.case((sa.and_(not_before(when, start - back), before(when, end - back)), 1))) for back in weeks
    ]
    totals = sa.select(sa.func.min(when), *counts).select_from(events.rows)
    row = catalogue.engine.run(totals.where(*arrived(events, catalogue, as_of)))[0]
    first = as_moment(row[0])
    known = [row[1 + place] for place, back in enumerate(weeks) if first is not None and first <= start - back]
    return float(median(known)) if known else None
