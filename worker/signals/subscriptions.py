"""The state of each subscription as of a moment, in SQL.

Dates decide, because they know the past as well; a status column knows only today and stands in for dates that are
missing. Service ends at ``ended_at``, else at ``term_end``. ``cancelled_at`` is the moment cancelling was asked for
(Stripe: ``canceled_at``), so it ends nothing by itself: only where neither end is known and the status says that the
subscription is over, it was over then. A status that no billing system uses counts as no status.

A subscription is in one state at a time: of its rows (one ``sub_id`` and product) the one that started last replaces
the others. A cancelled one whose product has another that renews and started on the day (UTC) of cancelling or later is
replaced too (an upgrade in mid-term). What is replaced has ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from worker.signals.constructs import Column, DayOf, Kind
from worker.signals.mapped_table import MappedTable
from worker.signals.rows import after, by
from worker.signals.source_columns import SourceColumn
from worker.signals.subscription_words import (
    ACTIVE,
    CANCELLED,
    DATES,
    DUNNING_GRACE,
    ENDED,
    KNOWN_WORDS,
    NON_RENEWING,
    NOT_STARTED,
    ORDER,
    PAST_DUE,
    PAYS,
    STOPPED,
    TRIAL,
)

_PRICED = ("active", "past_due", "cancelled_at_term_end")
_COMPUTED: Mapping[str, Kind] = {
    "state": "text",
    "paying": "flag",
    "trialing": "flag",
    "renews": "flag",
    "renews_at": "time",
    "trial_ends_at": "time",
    "since": "time",
    "mrr": "float",
}


@dataclass(frozen=True, slots=True)
class _Row:
    """The dates and the status of a row; a column that is not mapped is None and never known."""

    dates: Mapping[str, Column]
    word: Column | None
    at: datetime
    grace: timedelta
    read_at: datetime

    def reached(self, name: str, at: datetime | None = None) -> Column:
        """Known, and at that moment or before it."""
        return sa.func.coalesce(by(self.dates[name], at or self.at), sa.false()) if name in self.dates else sa.false()

    def ahead(self, name: str) -> Column:
        """Known, and after the moment."""
        return sa.func.coalesce(after(self.dates[name], self.at), sa.false()) if name in self.dates else sa.false()

    def known(self, *names: str) -> Column:
        """Whether any of the dates is known."""
        return sa.or_(sa.false(), *(self.dates[name].is_not(None) for name in names if name in self.dates))

    def says(self, *words: str) -> Column:
        """Whether the status is one of ``words``."""
        return sa.false() if self.word is None else sa.func.coalesce(self.word.in_(words), sa.false())

    def earlier(self, left: str, right: str) -> Column:
        """Whether both dates are known and ``left`` comes before ``right``."""
        both = left in self.dates and right in self.dates
        return sa.func.coalesce(self.dates[left] < self.dates[right], sa.false()) if both else sa.false()

    @property
    def since(self) -> Column | None:
        """The start, NULL where it is not known; None where no start is mapped."""
        term = self.dates.get("term_start")
        if term is not None and "trial_end" in self.dates:
            starts = sa.or_(sa.not_(self.known("trial_end")), self.earlier("term_start", "trial_end"))
            term = sa.case((starts, term))
        starts_known = [start for start in (self.dates.get("trial_start"), term) if start is not None]
        return sa.func.coalesce(*starts_known) if len(starts_known) == 2 else next(iter(starts_known), None)

    @property
    def asked(self) -> Column:
        """Whether cancelling had been asked for; an end that lay ahead at the moment of reading does not say when."""
        asked, ended = (self.reached(name, self.read_at) for name in ("cancelled_at", "ended_at"))
        by_status = sa.or_(self.says(*NON_RENEWING), sa.and_(self.says(*CANCELLED), sa.not_(ended)))
        return sa.or_(self.reached("cancelled_at"), sa.and_(by_status, sa.not_(asked)))

    @property
    def over(self) -> Column:
        """Whether service had ended, by the first of the ends that is known."""
        dunned = sa.and_(self.says(*PAST_DUE), sa.not_(self.asked))
        term = sa.case((dunned, self.reached("term_end", self.at - self.grace)), else_=self.reached("term_end"))
        only_trial = sa.and_(self.known("trial_end"), sa.not_(self.known("term_start")))
        at_trial_end = sa.and_(only_trial, self.reached("trial_end"))
        by_status = sa.case(
            (self.known("cancelled_at"), self.reached("cancelled_at")), (only_trial, at_trial_end), else_=sa.true()
        )
        return sa.case(
            (self.known("ended_at"), self.reached("ended_at")),
            (self.known("term_end"), term),
            (self.says(*CANCELLED, *ENDED), by_status),
            else_=sa.and_(at_trial_end, sa.not_(self.says(*PAYS))),
        )

    @property
    def between(self) -> Column:
        """After a trial and before the term."""
        return sa.and_(self.reached("trial_end"), self.ahead("term_start"))

    @property
    def on_trial(self) -> Column:
        """Whether a trial runs: by its dates, or by the status where no date says when it ends."""
        unpaid = sa.not_(self.says(*PAYS))
        to_come = sa.case((self.known("term_start"), self.ahead("term_start")), else_=unpaid)
        unlimited = sa.or_(self.says(*TRIAL), sa.and_(self.known("trial_start"), to_come))
        counted_as_term = sa.case(
            (self.known("trial_start"), sa.not_(self.earlier("trial_start", "term_start"))), else_=unpaid
        )
        before_term = sa.or_(sa.not_(self.known("term_start")), self.ahead("term_start"), counted_as_term)
        return sa.case((self.known("trial_end"), sa.and_(self.ahead("trial_end"), before_term)), else_=unlimited)

    @property
    def state(self) -> Column:
        """The state in our words; NULL where nothing can be said."""
        nothing: Column = sa.false()
        if self.dates or self.word is not None:
            nothing = sa.not_(sa.or_(self.known(*DATES), self.says(*KNOWN_WORDS)))
        return sa.case(
            (nothing, sa.null()),
            (sa.or_(self.says(*STOPPED), self.between, self.over), _text("ended")),
            (self.on_trial, _text("trialing")),
            (self.asked, _text("cancelled_at_term_end")),
            (self.says(*PAST_DUE), _text("past_due")),
            else_=_text("active"),
        )


def _text(word: str) -> Column:
    return sa.literal(word, sa.Text())


def _cells(table: MappedTable) -> sa.Subquery:
    """The rows with their dates, status and price, each worked out once: states are made of them many times."""
    made = [table.time(name).label(f"s_{name}") for name in DATES if table.has(name)]
    made += [table.word("status").label("s_word")] if table.has("status") else []
    if table.has("mrr"):
        made += [table.number("mrr").label("s_price"), table.given("mrr").label("s_is_priced")]
    return sa.select(*table.rows.c, *made).select_from(table.rows).subquery("s_dated")


def _row(table: MappedTable, cells: sa.Subquery, at: datetime, grace: timedelta) -> _Row:
    dates = {name: cells.c[f"s_{name}"] for name in DATES if table.has(name)}
    return _Row(dates, cells.c.get("s_word"), at, grace, table.read_at)


def subscriptions_at(table: MappedTable, at: datetime, grace: timedelta = DUNNING_GRACE) -> MappedTable:
    """The mapped subscriptions that had started by ``at``, with the computed columns of the schema.

    ``mrr`` becomes what is paid at ``at``: 0 on a trial and after the end. The rows are a common table expression.
    """
    mapped = [column.name for column in table.carried()]
    mapped += [f"s_differs_{name}" for name in sorted(table.compared)]
    first = _cells(table)
    row = _row(table, first, at, grace)
    since = [] if row.since is None else [row.since.label("s_since")]
    started = (
        sa.true() if row.since is None else sa.or_(row.since.is_(None), by(row.since, at), _may_start(table, first))
    )
    second = (
        sa.select(*first.c, row.state.label("s_stated"), *since)
        .where(started, sa.not_(row.says(*NOT_STARTED)))
        .subquery("s_stated_rows")
    )
    state = _unless_replaced(table, second)
    third = sa.select(*second.c, state.label("s_state")).subquery("s_states")
    worked_out = _computed(third, row.dates, at)
    found = sa.select(*(third.c[theirs] for theirs in mapped), *worked_out).cte("s_subscriptions_then")
    kinds = {name: kind for name, kind in _COMPUTED.items() if f"s_{name}" in found.c}
    computed = {name: SourceColumn(f"s_{name}", kind, ready=True) for name, kind in kinds.items()}
    return replace(table, rows=found, columns={**table.columns, **computed}, sound=table.sound | computed.keys())


def _may_start(table: MappedTable, rows: sa.Subquery) -> Column:
    """Whether a row may have started although its start lies ahead: its dates may be swapped."""
    read = replace(table, rows=rows)
    doubts = [read.out_of_order(start) for start, _ in table.pairs()]
    return sa.or_(sa.false(), *(doubt for doubt in doubts if doubt is not None))


def _unless_replaced(table: MappedTable, rows: sa.Subquery) -> Column:
    """The state, but ``ended`` for a row whose subscription has a later one, and for one that has a successor."""
    if "s_since" not in rows.c:
        return rows.c.s_stated
    read = replace(table, rows=rows)
    product = [sa.func.coalesce(read.text("product"), "")] if table.has("product") else []
    replaced: Column = sa.false()
    if table.has("sub_id"):
        key = read.id("sub_id")
        latest = sa.func.max(rows.c.s_since).over(partition_by=[read.raw("account_id"), key, *product])
        replaced = sa.and_(key.is_not(None), rows.c.s_since < latest)
    if table.has("cancelled_at"):
        renewing = sa.case((rows.c.s_stated.in_(("active", "past_due")), DayOf(rows.c.s_since, "UTC", [])))
        newest = sa.func.max(renewing).over(partition_by=[read.raw("account_id"), *product])
        asked = DayOf(rows.c.s_cancelled_at, "UTC", [])
        replaced = sa.or_(replaced, sa.and_(rows.c.s_stated == "cancelled_at_term_end", newest >= asked))
    return sa.case((replaced, _text("ended")), else_=rows.c.s_stated)


def _computed(rows: sa.Subquery, dates: Mapping[str, Column], at: datetime) -> Sequence[Column]:
    state = rows.c.s_state
    renews, free = state.in_(("active", "past_due")), state.in_(("trialing", "ended"))
    found: list[Column] = [
        state.label("s_state"),
        renews.label("s_renews"),
        (state == "trialing").label("s_trialing"),
        *([rows.c.s_since] if "s_since" in rows.c else []),
    ]
    if "term_end" in dates:
        found.append(sa.case((sa.and_(renews, after(rows.c.s_term_end, at)), rows.c.s_term_end)).label("s_renews_at"))
    if "trial_end" in dates:
        ahead = sa.and_(state == "trialing", after(rows.c.s_trial_end, at))
        found.append(sa.case((ahead, rows.c.s_trial_end)).label("s_trial_ends_at"))
    if "s_price" in rows.c:
        price = rows.c.s_price
        paid = sa.case((free, sa.literal(0.0, sa.Double())), (state.is_not(None), price))
        found.append(paid.label("s_mrr"))
    pays = (rows.c.s_price > 0) if "s_price" in rows.c else sa.null()
    return [*found, sa.case((free, sa.false()), (state.is_not(None), pays)).label("s_paying")]


def order_of(table: MappedTable) -> list[Column]:
    """What ranks the subscriptions of one account, each from high to low: the first one speaks for the account.

    One that is paid for comes before one that is not; then active before past due, cancelled at term end, trialing,
    ended; then the higher tier, the higher MRR, the later start.
    """
    paying, state = table.flag("paying"), table.text("state")
    places = [(state == word, place) for place, word in enumerate(ORDER) if word is not None]
    order: list[Column] = [sa.case((paying.is_(None), 1), (paying, 2), else_=0)]
    order.append(sa.case(*places, else_=ORDER.index(None)))
    order += [table.number(name) for name in ("tier_rank", "mrr") if table.has(name)]
    order += [table.time("since")] if table.has("since") else []
    return order + [table.text(name) for name in ("plan", "product", "sub_id") if table.has(name)]


def contradictions(
    table: MappedTable, as_of: datetime, grace: timedelta = DUNNING_GRACE
) -> tuple[sa.FromClause, dict[str, Column]]:
    """The rows of ``table`` (as mapped), and per kind of contradiction which of them have it: never NULL."""
    cells = _cells(table)
    rows = sa.select(*cells.c, _row(table, cells, as_of, grace).state.label("s_stated")).subquery("s_contradictory")
    row, state = _row(table, rows, as_of, grace), rows.c.s_stated
    priced = sa.func.coalesce(rows.c.s_price > 0, sa.false()) if table.has("mrr") else sa.false()
    unpriced = sa.and_(state.in_(_PRICED), sa.not_(rows.c.s_is_priced)) if table.has("mrr") else sa.false()
    stated = sa.false() if row.word is None else sa.func.coalesce(row.word != "", sa.false())
    no_end = sa.not_(row.known("ended_at", "term_end"))
    return rows, {
        "running but ended_at is past": sa.and_(row.says(*PAYS, *TRIAL), row.reached("ended_at")),
        "active after term_end": sa.and_(row.says(*ACTIVE), sa.not_(row.known("ended_at")), row.reached("term_end")),
        "cancelled without ended_at in mid-term": sa.and_(
            row.says(*CANCELLED), sa.not_(row.known("ended_at")), row.ahead("term_end")
        ),
        "ended without ended_at in mid-term": sa.and_(
            row.says(*ENDED), sa.not_(row.known("ended_at")), row.ahead("term_end")
        ),
        "cancelled_at without an end": sa.and_(
            row.reached("cancelled_at"), no_end, sa.not_(row.says(*CANCELLED, *ENDED))
        ),
        "cancelled_at before term_start": row.earlier("cancelled_at", "term_start"),
        "ended_at before term_start": row.earlier("ended_at", "term_start"),
        "in force without mrr": unpriced,
        "mrr on a trial": sa.and_(priced, sa.func.coalesce(state == "trialing", sa.false())),
        "active on a trial": sa.and_(row.says(*PAYS), row.on_trial),
        "trialing after trial_end": sa.and_(row.says(*TRIAL), row.reached("trial_end")),
        "status not understood": sa.and_(stated, sa.not_(row.says(*KNOWN_WORDS))),
        "nothing says its state": sa.func.coalesce(state, "") == "",
    }
