"""The columns of one table of ours in the source, as SQL of the right kind."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Self

import sqlalchemy as sa

from worker.settings.product_schema import SCHEMA, SCORES, kind_of
from worker.signals.constructs import Column, Kind, MomentLiteral
from worker.signals.reading.numbers import NumberFormat, NumberOf
from worker.signals.reading.texts import (
    NOTHING,
    SPREADSHEET_ERRORS,
    IdText,
    JsonOf,
    JsonText,
    LowerText,
    TrimmedText,
    clean_text,
)
from worker.signals.reading.times import TimeOf
from worker.signals.reading.written_times import GUESSED_AHEAD_YEARS, TimeFormat
from worker.signals.source_columns import TYPED, SourceColumn

_TRUE = ("true", "t", "yes", "y", "on", "enabled", "1", "1.0")
_FALSE = ("false", "f", "no", "n", "off", "disabled", "0", "0.0")
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""Before this a clock was not set."""
_FIRST = datetime(1, 1, 2, tzinfo=UTC)
_LATEST = datetime(9999, 12, 31, tzinfo=UTC)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""From here on a time means that there is none: systems without NULL write 9999-12-31."""
_CLOCKS_DIFFER = timedelta(days=1)
_READ, _VALUE = "s_read of ", "s_value of "
"""How the columns that `TableColumns.read_once` adds begin; no column of a product does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableColumns:
    """One table of ours as it exists in the source. Every column method answers SQL of one kind.

    A cell that cannot be read as its column's kind is NULL, and so is one that cannot be believed: a time before 1990
    or after ``read_at`` and a day, a number whose unit as a time is guessed and not plausible, seats below zero.
    ``sound`` columns are known to hold no such cell. Sound ids and names have no blanks around them either, so that
    they are taken as they are.
    """

    name: str
    rows: sa.FromClause
    columns: Mapping[str, SourceColumn]
    nothing: tuple[str, ...] = NOTHING
    zone: str = "UTC"
    """The zone of days, where their column names none."""
    read_at: datetime = _LATEST
    sound: frozenset[str] = frozenset()
    no_text: frozenset[str] = frozenset()
    """Ids and texts with cells whose bytes are no text."""
    unique: bool = False
    """Whether no row repeats the key of another: the look found none, or the database lets none in."""
    compared: frozenset[str] = frozenset()
    """Columns that ``rows`` has a flag for, whether the repeats of a row differ in it."""
    marks: Mapping[str, SourceColumn] = field(default_factory=dict)
    """Columns of theirs that nothing maps and that say something of a row, by `MARK` and their name."""
    names_of_spellings: Mapping[str, str] = field(default_factory=dict)
    """Of events: a name that is another spelling → the name it is read as."""

    def has(self, column: str) -> bool:
        """Whether ``column`` is mapped; ``props.x`` also when there is a JSON column to look into."""
        return column in self.columns or (column.startswith("props.") and "props" in self.columns)

    def cell(self, column: str) -> Column:
        """The column as it is in the source."""
        return self.cell_of(self.columns[column])

    def cell_of(self, column: SourceColumn) -> Column:
        """One of `columns` or `marks` as it is in the source."""
        found: Column = self.rows.c[column.name]
        return found

    def cells(self) -> list[Column]:
        """The columns as they are in the source, each once: two of ours may be read from one of theirs."""
        return list({column.name: self.cell(name) for name, column in self.columns.items()}.values())

    def carried(self) -> list[Column]:
        """`cells`, and what `read_once` made of them: what a selection of the rows has to have."""
        made = [column for column in self.rows.c if column.name.startswith((_READ, _VALUE))]
        return [*self.cells(), *made]

    @property
    def reads_text(self) -> bool:
        """Whether any time or number is text, which is dear to read."""
        texts = (name for name, one in self.columns.items() if one.kind == "text" and not one.ready)
        return any(self.kind_of(name) in {"time", "number"} for name in texts)

    def read_once(self, *, texts: bool = False) -> Self:
        """The same table, whose cells that have to be read are read in one place of a statement.

        To read a text as a time takes kilobytes of SQL, and a query names some times a hundred times. ``rows`` get a
        column for each time and number as it was read, and one for each value that is believed. Engines keep the rows
        of a common table expression that several places of the statement read; one place reads what it needs.
        With ``texts`` ids, texts and flags are cleaned there too.
        """
        names = [name for name in self.columns if self._needs_reading(name, texts=texts)]
        if not names:
            return self
        times = [name for name in names if self.kind_of(name) == "time"]
        numbers = [name for name in names if self.kind_of(name) == "number"]
        cells = [self._trimmed(name).label(f"s_cell_{name}") for name in times]
        first = sa.select(*self.rows.c, *cells).select_from(self.rows).subquery("s_cells")
        read = [self._moment(name, first.c[f"s_cell_{name}"]).label(_READ + name) for name in times]
        read += [replace(self, rows=first).read_number(name).label(_READ + name) for name in numbers]
        second = sa.select(*(first.c[column.name] for column in self.rows.c), *read).subquery("s_read")
        values = [replace(self, rows=second).value(name).label(_VALUE + name) for name in names]
        return replace(self, rows=sa.select(*second.c, *values).cte(f"s_{self.name}_read"))

    def _needs_reading(self, column: str, *, texts: bool) -> bool:
        kind, theirs = self.kind_of(column), self.columns[column]
        if theirs.ready or _VALUE + column in self.rows.c:
            return False
        if kind in {"id", "text", "flag"}:
            return texts and theirs.kind == "text"
        return kind in {"time", "number"} and (column not in self.sound or theirs.kind not in TYPED[kind])

    def _made(self, which: str, column: str, *kinds: str) -> Column | None:
        """The column of one of ``kinds`` as it was worked out or, by `read_once`, read; None where it was not."""
        theirs = self.columns.get(column)
        if theirs is None or self.kind_of(column) not in kinds:
            return None
        return self.cell(column) if theirs.ready else self.rows.c.get(which + column)

    def raw(self, column: str) -> Column:
        """The column for grouping: as it is where its cells are sound, else as text."""
        kind = self.columns[column].kind
        return self.id(column) if kind in {"text", "any"} else self.cell(column)

    def kind(self, column: str) -> Kind:
        """The kind of ``column`` by the engine."""
        return self.columns[column].kind

    def id(self, column: str) -> Column:
        """An id as text."""
        ready = self._made(_VALUE, column, "id", "text")
        if ready is not None:
            return ready
        kind = self.columns[column].kind
        return self._cleaned(column, IdText(self.cell(column), kind))

    def time(self, column: str) -> Column:
        """A moment that can be compared, or NULL."""
        ready = self._made(_VALUE, column, "time")
        if ready is not None:
            return ready
        moment = self.read_time(column)
        if column in self.sound:
            return moment
        ahead = column in SCHEMA[self.name].ahead
        latest = NEVER - _CLOCKS_DIFFER if ahead else self.latest
        return sa.case((sa.and_(moment >= MomentLiteral(EARLIEST), moment <= MomentLiteral(latest)), moment))

    def read_time(self, column: str) -> Column:
        """A moment, believable or not."""
        read = self._made(_READ, column, "time")
        return self._moment(column, self._trimmed(column)) if read is None else read

    def _moment(self, column: str, cell: Column) -> Column:
        _, kind, written, *_ = self.columns[column]
        until = self._guess_until if column in SCHEMA[self.name].ahead else None
        if written is None:
            return TimeOf(cell, kind, TimeFormat(day_zone=self.zone, guess_until=until))
        zone = written.zone or "UTC"
        return TimeOf(cell, kind, TimeFormat(written.format, zone, written.epoch, written.zone or self.zone, until))

    def _trimmed(self, column: str) -> Column:
        """The cell without blanks around it where it is text, sound or not; numbers and times as they are."""
        text = self.columns[column].kind == "text"
        return TrimmedText(self.cell(column)) if text else self.cell(column)

    def number(self, column: str) -> Column:
        """A finite number, or NULL; a number that means "no limit" is NULL too."""
        ready = self._made(_VALUE, column, "number")
        if ready is not None:
            return ready
        number = self.read_number(column)
        if column in self.sound:
            return number
        floor = SCHEMA[self.name].least.get(column)
        parts: list[Column] = [] if floor is None else [number >= _double(floor)]
        unlimited = self.unlimited(column)
        parts += [] if unlimited is None else [sa.not_(unlimited)]
        if (self.name, column) == ("surveys", "score") and self.has("kind"):
            kind = sa.func.coalesce(folded(self.text("kind")), "")
            for name, (least, most) in SCORES.items():
                parts.append(sa.or_(kind != name, number.between(_double(least), _double(most))))
        return sa.case((sa.and_(*parts), number)) if parts else number

    def read_number(self, column: str) -> Column:
        """A finite number, believable or not."""
        read = self._made(_READ, column, "number")
        if read is not None:
            return read
        if column not in self.columns:
            return NumberOf(self.text(column), "text")
        _, kind, written, *_ = self.columns[column]
        if written is None:
            return NumberOf(self.cell(column), kind)
        return NumberOf(self.cell(column), kind, NumberFormat(written.decimal, written.thousands, written.strip))

    def unlimited(self, column: str) -> Column | None:
        """Whether the number of a row means that there is no limit; None for columns that are no limit."""
        default = SCHEMA[self.name].unlimited.get(column)
        if default is None:
            return None
        written = self.columns[column].written
        number = self.read_number(column)
        if written is not None and written.unlimited is not None:
            return number.in_([_double(value) for value in written.unlimited])
        words = number == _double(-1)
        return words if default == math.inf else sa.or_(words, number >= _double(default))

    def text(self, column: str) -> Column:
        """Text without blanks around it; NULL where it only says that there is nothing."""
        if column not in self.columns:
            return JsonText(self.cell("props"), column.removeprefix("props."), self.columns["props"].kind)
        ready = self._made(_VALUE, column, "id", "text")
        if ready is not None:
            return ready
        kind = self.columns[column].kind
        cell = self.cell(column)
        text = self._cleaned(column, IdText(cell, kind) if kind == "any" else sa.cast(cell, sa.Text()))
        if column != "name" or not self.names_of_spellings:
            return text
        return sa.case(*((text == spelling, name) for spelling, name in self.names_of_spellings.items()), else_=text)

    def _cleaned(self, column: str, text: Column) -> Column:
        """``text`` cleaned, unless its cells are known to need it not: a sound flag may still have blanks around it."""
        known = column in self.sound and self.kind_of(column) in {"id", "text"}
        nothing = self.nothing if self.kind_of(column) == "id" else (*self.nothing, *SPREADSHEET_ERRORS)
        return text if known or self.columns[column].kind not in {"text", "any"} else clean_text(text, nothing)

    def flag(self, column: str) -> Column:
        """True, false or NULL, also from 1/0, yes/no, on/off and enabled/disabled."""
        ready = self._made(_VALUE, column, "flag")
        if ready is not None:
            return ready
        if column in self.columns and self.columns[column].kind == "flag":
            return self.cell(column)
        text = folded(self.text(column))
        return sa.case((text.in_(_TRUE), sa.true()), (text.in_(_FALSE), sa.false()))

    def value(self, column: str) -> Column:
        """The column as our schema means it."""
        by_kind = {"id": self.id, "time": self.time, "number": self.number, "flag": self.flag}
        return by_kind.get(self.kind_of(column), self.text)(column)

    def theirs(self, name: str) -> Column:
        """A column of theirs that our schema does not know, as it is: text as in `text`, times that Python can hold."""
        column = f"extra.{name}"
        cell, kind = self.cell(column), self.columns[column].kind
        if kind in {"time", "naive", "date"}:
            moment = self._moment(column, cell)  # in microseconds, that the bounds can be compared with
            within = sa.and_(moment >= MomentLiteral(_FIRST), moment <= MomentLiteral(_LATEST))
            return sa.case((within, moment if kind == "time" else cell))  # days stay days
        if kind == "any":
            return sa.case((sa.func.typeof(cell).in_(("text", "blob")), self.text(column)), else_=cell)
        if kind in {"json", "struct", "list"}:
            return sa.cast(JsonOf(cell, kind), sa.Text())
        return self.text(column) if kind == "text" else cell

    @property
    def latest(self) -> datetime:
        """The latest time that is believed of a row that happened."""
        return min(self.read_at, _LATEST - _CLOCKS_DIFFER) + _CLOCKS_DIFFER

    @property
    def _guess_until(self) -> int:
        """The last second since 1970 that is believed of a time that may lie ahead and whose unit is guessed."""
        last = min(self.read_at.year + GUESSED_AHEAD_YEARS, _LATEST.year - 1)
        return int(datetime(last + 1, 1, 1, tzinfo=UTC).timestamp())  # of a year: the statement stays the same

    def kind_of(self, column: str) -> str:
        """The kind of ``column`` by our schema."""
        return kind_of(self.name, column)


def _double(number: float) -> Column:
    return sa.literal(float(number), sa.Double())


def folded(text: Column) -> Column:
    """Text for comparing: any case, no blanks around it."""
    return LowerText(sa.func.trim(text))
