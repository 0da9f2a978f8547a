"""What a look at the product's data found in one table, as numbers and as sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from worker.language.plural import counted
from worker.settings.product_schema import SCHEMA
from worker.signals.reading.texts import NO_TEXT
from worker.signals.row_marks import MarkedRows

_POINT_ZERO = re.compile(r"^-?\d+\.0+$")
_LONGEST_EXAMPLE = 24
_MOST_LETTERS = 12
_PERSONAL_DIGITS = re.compile(r"^\s*(?:\+|00|\()\d|\b19[0-8]\d\b|(?:\d[ -]?){12}|\b\d{3}[ .-]\d{3,4}[ .-]\d{4}\b")


@dataclass(frozen=True, slots=True)
class ColumnFindings:
    """The cells of one column that are not used. ``example`` is one unreadable cell, never a personal value."""

    name: str
    unreadable: int
    disbelieved: int
    unlimited: int = 0
    incomparable: int = 0
    """Amounts whose account has others in another currency, or that are in a currency without a rate."""
    example: str | None = None

    def counts(self) -> Iterator[tuple[str, int]]:
        """Every kind of cell that is not used, and how many."""
        yield "unreadable", self.unreadable
        yield "disbelieved", self.disbelieved
        yield "unlimited", self.unlimited
        yield "incomparable", self.incomparable


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinFindings:
    """How many rows belong to an account (or person) of the other table; ``recent`` rows are those of 28 days."""

    column: str
    other: str
    given: int
    joined: int
    recent_given: int
    recent_joined: int
    blank: int = 0
    """Rows that name nobody."""
    recent_blank: int = 0
    excluded: int = 0
    """Rows of accounts that do not count; no other number has them."""
    example: str | None = None
    other_example: str | None = None
    in_another_case: int = 0
    """Different ids that belong to none, but would in another case."""

    @property
    def examples(self) -> str:
        """How a sentence about the rows that do not join ends: one of them, and what the others look like."""
        one = f", such as {self.example}" if self.example else ""
        found = f"{one}; {self.other} look like {self.other_example}" if self.other_example else one
        if self.in_another_case:
            return f"{found}; {self.in_another_case:,} differ only in capital letters"
        points = [bool(_POINT_ZERO.search(each or "")) for each in (self.example, self.other_example)]
        only_one = points[0] != points[1] and self.other_example
        return f"{found}; only one side is written with .0: write ids as whole numbers" if only_one else found

    @property
    def share(self) -> float | None:
        """The share of the recent rows that join; of all rows where none is recent. None without rows."""
        given, joined = (self.recent_given, self.recent_joined) if self.recent_given else (self.given, self.joined)
        return joined / given if given else None

    @property
    def named(self) -> float | None:
        """The share of the recent rows that name anybody; None without recent rows."""
        rows = self.recent_given + self.recent_blank
        return self.recent_given / rows if rows else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedRows:
    """The rows that repeat another in every column, without a key or ``under_other_ids``: they all count.

    ``certain`` are those that no chance explains: their time has a fraction of a second, or every row is there twice.
    ``recent``: only rows of 28 days were looked at; ``accounts``: only those of some ``of_accounts``.
    """

    rows: int
    repeats: int
    certain: int
    recent: bool = False
    accounts: int | None = None
    of_accounts: int | None = None
    under_other_ids: bool = False

    @property
    def sentence(self) -> str:
        """How many of how many repeat another."""
        days = " of 28 days" if self.recent else ""
        some = (
            f" of {self.accounts:,} of {counted(self.of_accounts or 0, 'account')}" if self.accounts is not None else ""
        )
        if self.under_other_ids:
            again = f"{_share(self.certain, self.rows)}{days}{some} repeat another to the moment"
            return f"{again} under another id or none and count"
        return f"{_share(self.repeats, self.rows)}{days}{some} repeat another in every column and all count"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversedDates:
    """How many rows are over before they start, ``of`` those that have both dates."""

    start: str
    end: str
    rows: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFindings:
    """One table of ours in the source. ``newest`` is the latest believed time of a row."""

    name: str
    rows: int
    newest: datetime | None = None
    missing: Mapping[str, int] = field(default_factory=dict)
    """Required columns, and how many rows have no value there that can be used."""
    repeats: int = 0
    repeated: RepeatedRows | None = None
    snapshots: int = 0
    """Subscriptions without an id that may be one, day by day."""
    shared_keys: int = 0
    """Rows with the id of a row that is about something else: another account, or an event with another name."""
    columns: tuple[ColumnFindings, ...] = ()
    joins: tuple[JoinFindings, ...] = ()
    reversed: tuple[ReversedDates, ...] = ()
    contradictions: Mapping[str, int] = field(default_factory=dict)
    marked: tuple[MarkedRows, ...] = ()
    in_hundredths: str | None = None
    """The column of theirs with the amounts, where its name says that they are in hundredths."""

    @property
    def id_column(self) -> str:
        """The first column of the key, which tells what a row is about."""
        return SCHEMA[self.name].key[0]

    def to_json(self) -> dict[str, Any]:
        """The findings as JSON, numbers of rows and of cells with their shares."""
        newest = None if self.newest is None else self.newest.isoformat()
        columns = [
            asdict(one) | {f"{what}_share": self._share(many) for what, many in one.counts()} for one in self.columns
        ]
        joins = [asdict(one) | {"share": one.share, "named": one.named} for one in self.joins]
        shares = {"repeats": self.repeats, "snapshots": self.snapshots, "shared_keys": self.shared_keys}
        return asdict(self) | {
            "newest": newest,
            "missing_shares": {name: self._share(rows) for name, rows in self.missing.items()},
            "contradiction_shares": {kind: self._share(rows) for kind, rows in self.contradictions.items()},
            **{f"{what}_share": self._share(rows) for what, rows in shares.items()},
            "reversed": [asdict(one) | {"share": one.rows / one.of if one.of else 0.0} for one in self.reversed],
            "marked": [asdict(one) | {"share": self._share(one.rows)} for one in self.marked],
            "columns": columns,
            "joins": joins,
        }

    def _share(self, some: int) -> float:
        return some / self.rows if self.rows else 0.0


def impersonal(value: object) -> str | None:
    """A cell that a report may repeat: ids may be e-mail addresses, and those are not. PostgreSQL stores no NUL."""
    return None if value is None or "@" in str(value) else str(value).replace("\0", "\ufffd")


def example_of(value: object) -> str | None:
    """An unreadable cell as an example; None for one that may be about a person, and for bytes.

    What looks like a telephone number, a birth date or the number of a card shows its form: ``#`` for each digit.
    """
    text = impersonal(value)
    if text is None or text == NO_TEXT or sum(map(str.isalpha, text)) > _MOST_LETTERS:
        return None
    shown = re.sub(r"\d", "#", text) if _PERSONAL_DIGITS.search(text) else text
    return f'"{shown[:_LONGEST_EXAMPLE]}"'


def table_remarks(table: TableFindings) -> Iterator[str]:
    for column, missing in table.missing.items():
        if missing:
            yield f"{_share(missing, table.rows)} have no {column}"
    if table.repeats:
        yield f"{_share(table.repeats, table.rows)} repeat another and count once"
    yield from _without_ids(table)
    if table.shared_keys:
        yield f"{_share(table.shared_keys, table.rows)} have the {table.id_column} of a row about something else"
    for cells in table.columns:
        yield from _of_column(cells, table.rows)
    for join in table.joins:
        lost = join.given - join.joined
        if lost:
            yield f"{_share(lost, join.given)} belong to none of the {join.other}{join.examples}"
        if join.blank and join.other == "accounts" and join.column not in table.missing:
            yield f"{_share(join.blank, table.rows)} name no account"
        if join.blank and join.other == "users" and join.column not in table.missing:
            yield f"{_share(join.blank, table.rows)} name no user: in numbers of people they are nobody's"
    reversed_dates = {f"{dates.end} before {dates.start}": dates.rows for dates in table.reversed}
    for kind, rows in (reversed_dates | dict(table.contradictions)).items():
        if rows:
            yield f"{_share(rows, table.rows)} contradict themselves: {kind}"
    yield from _marked(table)


def _marked(table: TableFindings) -> Iterator[str]:
    for marked in table.marked:
        yield f"{_share(marked.rows, table.rows)} {marked.sentence}"
    if table.in_hundredths:
        yield f'"{table.in_hundredths}" sounds like amounts in hundredths: map a query that divides it by 100'


def _without_ids(table: TableFindings) -> Iterator[str]:
    found = table.repeated
    if found is not None and found.under_other_ids and found.certain:
        yield f"{found.sentence}: a retry may make a new {table.id_column}"
    elif found is not None and found.repeats and not found.under_other_ids:
        chance = "" if found.certain else "; in the same second some may be real"
        yield f"{found.sentence}: map {table.id_column}{chance}"
    if table.snapshots:
        again = f"{_share(table.snapshots, table.rows)} are a subscription that is there again, such as for each day"
        yield f"{again}: what they add up to is unknown; map {table.id_column}, or a query with the newest row of each"


def _of_column(cells: ColumnFindings, rows: int) -> Iterator[str]:
    example = f", such as {cells.example}" if cells.example else ""
    if cells.unreadable:
        yield f"{_share(cells.unreadable, rows)} have a {cells.name} that cannot be read{example}"
    if cells.disbelieved:
        yield f"{_share(cells.disbelieved, rows)} have a {cells.name} that is not believed"
    if cells.unlimited:
        yield f"{_share(cells.unlimited, rows)} have no limit in {cells.name}"
    if cells.incomparable:
        yield (
            f"{_share(cells.incomparable, rows)} have a {cells.name} in which they cannot be added: "
            "another one in the same account, or no rate for it"
        )


def _share(some: int, of: int) -> str:
    percent = 100 * some / of if of else 0
    shown = f"{percent:.0f}" if percent >= 1 or not some else "<1"
    return f"{some:,} of {counted(of, 'row')} ({shown} %)"
