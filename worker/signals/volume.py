"""How much data there is: what tells a quiet day from a broken pipeline."""

from __future__ import annotations

from datetime import datetime, timedelta
from statistics import median

import sqlalchemy as sa

from worker.signals.accounts import account_columns, account_rows
from worker.signals.data_report import Volume
from worker.signals.decode import moment as as_moment
from worker.signals.mapping import Catalogue
from worker.signals.occurrences import Occurrences
from worker.signals.rows import before, delivered, not_before
from worker.signals.scan import QueryScope
from worker.signals.windows import last_full_day, midnight

_WEEKS = 4


def volume_of(catalogue: Catalogue, events: Occurrences, as_of: datetime) -> Volume:
    """How many ``events`` and accounts there are as of ``as_of``. Raises SourceError."""
    zone = catalogue.product.zone
    last = last_full_day(as_of, zone)
    days = [last - timedelta(weeks=week) for week in range(_WEEKS + 1)]
    usual = None
    if events.first is not None and events.first < midnight(days[-1] + timedelta(days=1), zone):
        usual = float(median(events.days.get(day, 0) for day in days[1:]))
    scope = QueryScope(catalogue, as_of)
    ids = account_rows(scope, account_columns(catalogue)).subquery("s_found")
    accounts = catalogue.engine.run(sa.select(sa.func.count()).select_from(ids))[0][0]
    return Volume(events.total, events.last, events.days.get(last, 0), usual, int(accounts))


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
    row = catalogue.engine.run(totals.where(*delivered(events, as_of)))[0]
    first = as_moment(row[0])
    known = [row[1 + place] for place, back in enumerate(weeks) if first is not None and first <= start - back]
    return float(median(known)) if known else None
