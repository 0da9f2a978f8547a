"""One table of ours in the source, and which of its cells cannot be read or believed."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from worker.settings.product_schema import ENDS, SCHEMA
from worker.settings.signals import PropertyKind
from worker.signals.constructs import Column, MomentLiteral, SecondsUntil
from worker.signals.reading.texts import INFINITE, NO_TEXT, IsObject, TrimmedText, says_something, written_text
from worker.signals.source_columns import TYPED
from worker.signals.subscription_words import CANCELLED, ENDED
from worker.signals.table_columns import EARLIEST, NEVER, TableColumns, folded
from worker.signals.windows import Window

_LONGEST_DAY = 25 * 3600


_LISTS = ("%,%", "%;%", "%|%", "[%]", "{%}")
"""How a cell is written that holds several words, but for commas before a blank: "Director, Sales" is one title."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedTable(TableColumns):
    """One table of ours as it exists in the source. Every method answers a test of a cell, true, false or NULL."""

    in_order: bool = False
    """Whether no row is known to be over before it starts."""
    keys_as_written: bool = False
    """Whether keys are known to differ only where their cells do."""
    repeated: sa.TableClause | None = None
    """The repeated ids, as ``s_key``, in a table of the engine's own."""
    lists: frozenset[str] = frozenset()
    """Texts of a column of one word that are known to be several."""

    def word(self, column: str) -> Column:
        """A status for comparing with words: in small letters, with underscores for blanks and hyphens."""
        return sa.func.replace(sa.func.replace(folded(self.text(column)), " ", "_"), "-", "_")

    def given(self, column: str) -> Column:
        """Whether the cell says anything at all."""
        cell = self.cell(column)
        typed = self.columns[column].kind not in {"text", "any", "json"}
        given = cell.is_not(None) if typed else self._says_something(sa.cast(cell, sa.Text()))
        never = self.never(column)
        return given if never is None else sa.and_(given, sa.not_(sa.func.coalesce(never, sa.false())))

    def _given_where(self, column: str, unknown: Column) -> Column:
        """`given` of a cell that is ``unknown``, false of others; few are unknown, and a text is dear to clean."""
        cell = self.cell(column)
        return sa.case((cell.is_(None), sa.false()), (unknown, self.given(column)), else_=sa.false())

    def _says_something(self, text: Column) -> Column:
        return sa.func.coalesce(says_something(text, self.nothing), sa.false())

    def never(self, column: str) -> Column | None:
        """Whether the cell says that there is no end; None for columns that are no end or hold no such cell."""
        if column not in ENDS or column in self.sound:
            return None
        moment = self.read_time(column)
        never = moment >= MomentLiteral(NEVER)
        if self.columns[column].kind not in {"time", "naive", "date"}:
            return never
        # Infinity can be compared, but not read. A time in nanoseconds cannot be compared with the year 9999.
        infinite = sa.and_(moment.is_(None), self.cell(column) > MomentLiteral(EARLIEST))
        return sa.or_(never, infinite)

    def unreadable(self, column: str) -> Column | None:
        """Whether the cell says something that is not of the column's kind; None where that cannot be."""
        kind = self.kind_of(column)
        if kind in {"id", "text"}:
            return self._no_text(column)
        if self.columns[column].kind in TYPED.get(kind, ()):
            return None
        if kind == "json":
            no_object = IsObject(self.cell(column), self.columns[column].kind).is_(sa.false())
            return self._given_where(column, no_object)
        read = {"time": self.read_time, "number": self.read_number, "flag": self.flag}.get(kind)
        if read is None:
            return None
        unread = self._given_where(column, read(column).is_(None))
        if kind == "number":
            return sa.and_(unread, sa.not_(self._infinite(column)))
        return unread

    def _infinite(self, column: str) -> Column:
        """Whether a cell without type is a number that was read, and which nobody believes."""
        if self.columns[column].kind == "any":
            return sa.func.typeof(self.cell(column)).in_(("integer", "real"))
        return self.cell(column) == written_text(INFINITE)

    def _no_text(self, column: str) -> Column | None:
        """Whether the bytes of the cell are no text, or it is a list where one word is needed.

        Where the source holds text as such, a stand-in says that the bytes are none.
        """
        kind, cell = self.columns[column].kind, self.cell(column)
        if kind not in {"any", "text"}:
            return None
        no_text = (TrimmedText(cell) if kind == "any" else cell) == written_text(NO_TEXT)
        if column in SCHEMA[self.name].single:
            text = sa.func.replace(self.text(column), written_text(", "), written_text(" "))
            listed = folded(self.text(column)).in_(sorted(self.lists)) if self.lists else sa.false()
            no_text = sa.or_(no_text, listed, *(text.like(written_text(pattern)) for pattern in _LISTS))
        return sa.func.coalesce(no_text, sa.false())

    def disbelieved(self, column: str) -> Column | None:
        """Whether the cell was read and is not believed; None where every value is."""
        if self.kind_of(column) not in {"time", "number"}:
            return None
        others = [test for test in (self.unreadable(column), self.unlimited(column)) if test is not None]
        unknown = self._given_where(column, self.value(column).is_(None))
        return sa.and_(unknown, *(sa.not_(sa.func.coalesce(test, sa.false())) for test in others))

    def differs(self, column: str) -> Column | None:
        """Whether the repeats of a row differ in ``column``; None where they were not compared."""
        return self.rows.c[f"s_differs_{column}"] == 1 if column in self.compared else None

    def pairs(self) -> list[tuple[str, str]]:
        """The starts and ends of a row that are mapped, and of which the end may not come first."""
        return [pair for pair in SCHEMA[self.name].in_order if all(map(self.has, pair))]

    def is_reversed(self, start: str, end: str) -> Column:
        """Whether a row is over before it starts, never NULL.

        An end at midnight may stand for a day: it contradicts a start on the next day, or later.
        """
        since, until = self.time(start), self.time(end)
        after_1990 = -SecondsUntil(until, EARLIEST)
        written = self.columns[end].written
        zone = (written and written.zone) or self.zone
        # Midnight of any zone is at a quarter of an hour in UTC.
        midnight = sa.cast(after_1990, sa.BigInteger()) % (86_400 if zone == "UTC" else 900) == 0
        next_day = -SecondsUntil(since, EARLIEST) - after_1990 >= _LONGEST_DAY
        return sa.func.coalesce(sa.and_(until < since, sa.or_(sa.not_(midnight), next_day)), sa.false())

    def out_of_order(self, column: str, window: Window | None = None) -> Column | None:
        """Whether a row that is over before it starts may have its time ``column`` in ``window``.

        A start is written again (a member is added again, a ticket reopened or imported), so that the row started at
        the date it has or before its end, never after both. An end lies between both dates, or there is none.
        """
        pair = next((pair for pair in self.pairs() if column in pair), None)
        if self.in_order or pair is None:
            return None
        since, until = map(self.time, pair)
        parts = [self.is_reversed(*pair), *self._matters(pair[0])]
        if window is not None and window.start is not None:
            parts.append(since >= MomentLiteral(window.start))
        if window is not None and column == pair[1]:
            parts.append(until < MomentLiteral(window.end))
        return sa.and_(*parts)

    def _matters(self, start: str) -> list[Column]:
        """Of subscriptions: no trial matters once a term has started, and no term that something else says is over."""
        if start not in {"trial_start", "term_start"} or not self.has("term_start"):
            return []
        started = sa.func.coalesce(self.time("term_start") < MomentLiteral(self.read_at), sa.false())
        if start == "trial_start":
            return [sa.not_(started)]
        over: list[Column] = [self.time("ended_at").is_not(None)] if self.has("ended_at") else []
        if self.has("status"):
            says_over = sa.func.coalesce(self.word("status").in_([*CANCELLED, *ENDED]), sa.false())
            over.append(sa.and_(says_over, started))
        return [sa.not_(one) for one in over]

    def doubtful(self, column: str, window: Window | None = None) -> Column | None:
        """Whether the cell says something unknown: unreadable, not believed, no limit, or contradicted.

        A repeat or the other end of the same row may contradict it; of these ends only what may lie in ``window``
        counts. None where that cannot be.
        """
        found = (self._doubtful_cell(column), self.differs(column), self.out_of_order(column, window))
        doubts = [doubt for doubt in found if doubt is not None]
        return sa.or_(*doubts) if doubts else None

    def _doubtful_cell(self, column: str) -> Column | None:
        if column.startswith("props.") and column not in self.columns:
            return None if "props" in self.sound else self.unreadable("props")
        if column in self.sound or column not in self.columns:
            return None
        if column in SCHEMA[self.name].required:
            return self.value(column).is_(None)
        if self.kind_of(column) in {"id", "text"}:
            return self._no_text(column) if column in self.no_text else None
        if self.kind_of(column) == "json":
            return self.unreadable(column)
        return self._given_where(column, self.value(column).is_(None))

    def is_no(self, kind: PropertyKind, column: str) -> Column:
        """Whether a property says something that is not of ``kind``."""
        read = self.number(column) if kind == "number" else self.flag(column)
        return sa.and_(self.says(column), read.is_(None))

    def says(self, column: str) -> Column:
        """Whether a property says anything; never NULL."""
        return self._says_something(self.text(column))
