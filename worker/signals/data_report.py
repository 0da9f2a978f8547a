"""What a look at the product's data found: per table, per column, and per event."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from worker.language.plural import counted
from worker.settings.product_schema import SCHEMA
from worker.signals.reading.texts import NO_TEXT

_POINT_ZERO = re.compile(r"^-?\d+\.0+$")
MOST_LOST = 0.2
"""The share of a window's events that may be missing; of other rows as many may be lost (`TrustSettings.unjoined`)."""
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
    """The rows that repeat another in every column, in a table without a key: they all count.

    ``certain`` are those that no chance explains: their time has a fraction of a second, or every row is there twice.
    ``recent``: only rows of 28 days were looked at; ``accounts``: only those of some ``of_accounts``.
    """

    rows: int
    repeats: int
    certain: int
    recent: bool = False
    accounts: int | None = None
    of_accounts: int | None = None

    @property
    def sentence(self) -> str:
        """How many of how many repeat another."""
        days = " of 28 days" if self.recent else ""
        some = (
            f" of {self.accounts:,} of {counted(self.of_accounts or 0, 'account')}" if self.accounts is not None else ""
        )
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
    """Of a table without a key."""
    snapshots: int = 0
    """Subscriptions without an id that may be one, day by day."""
    shared_keys: int = 0
    """Rows with the id of a row that is about something else: another account, or an event with another name."""
    columns: tuple[ColumnFindings, ...] = ()
    joins: tuple[JoinFindings, ...] = ()
    reversed: tuple[ReversedDates, ...] = ()
    contradictions: Mapping[str, int] = field(default_factory=dict)

    @property
    def id_column(self) -> str:
        """The first column of the key, which tells what a row is about."""
        return SCHEMA[self.name].key[0]

    def to_json(self) -> dict[str, Any]:
        """The findings as JSON."""
        return asdict(self) | {"newest": None if self.newest is None else self.newest.isoformat()}


@dataclass(frozen=True, slots=True)
class Volume:
    """The amount of data at one moment.

    ``usual_same_weekday`` is the median number of events of the four same weekdays before the last full day; None
    when the events do not go back that far. Events of the product's own people are among them: they show as well as
    others that data arrives. ``accounts`` are those that count.
    """

    events: int = 0
    latest: datetime | None = None
    last_day_events: int = 0
    usual_same_weekday: float | None = None
    accounts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFindings:
    """How often one event occurred, and on which of the last five weeks' days."""

    name: str
    total: int
    first: datetime | None
    last: datetime | None
    days: Mapping[date, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentDays:
    """Days on which the events of all accounts are missing.

    ``usual``: per such day, by its first moment, how many events are usual; ``a_day`` are those of a day on average.
    """

    usual: Mapping[datetime, float] = field(default_factory=dict)
    days: tuple[date, ...] = ()
    a_day: float = 0.0

    def lost(self, start: datetime, end: datetime) -> float:
        """The share of the events of a window that is missing."""
        all_events = self.a_day * ((end - start) / timedelta(days=1))
        missing = sum(usual for moment, usual in self.usual.items() if start <= moment < end)
        return missing / all_events if all_events else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReport:
    """Everything one look at the data found, as of one moment."""

    as_of: datetime
    tables: tuple[TableFindings, ...]
    volume: Volume = Volume()
    events: Mapping[str, EventFindings] = field(default_factory=dict)
    accounts: int = 0
    accounts_twice: int = 0
    account_twice: str | None = None
    """One account that stands in the accounts table more than once."""
    stopped: Mapping[str, str | None] = field(default_factory=dict)
    """Events that occurred until lately and then no more, and the event that seems to have taken their place."""
    silent: SilentDays = SilentDays()

    def table(self, name: str) -> TableFindings | None:
        """The findings of one table."""
        return next((table for table in self.tables if table.name == name), None)

    def join_shares(self) -> dict[str, float]:
        """By table, the share of the recent rows that belong to an account, of those that name one."""
        return {name: join.share for name, join in self.joins_to_accounts() if join.share is not None}

    def rows(self) -> dict[str, int]:
        """By table, how many rows it has."""
        return {table.name: table.rows for table in self.tables}

    def named_shares(self) -> dict[str, float]:
        """By table, the share of the recent rows that name an account."""
        return {name: join.named for name, join in self.joins_to_accounts() if join.named is not None}

    def joins_to_accounts(self) -> Iterator[tuple[str, JoinFindings]]:
        """Every table but the accounts, and how it joins to them."""
        return ((table.name, join) for table in self.tables for join in table.joins if join.other == "accounts")

    def to_json(self) -> dict[str, Any]:
        """The report as JSON, as it is stored with every run."""
        return {
            "as_of": self.as_of.isoformat(),
            "accounts": self.accounts,
            "accounts_twice": self.accounts_twice,
            "account_twice": self.account_twice,
            "tables": [table.to_json() for table in self.tables],
            "join_shares": self.join_shares(),
            "named_shares": self.named_shares(),
            "rows": self.rows(),
            "remarks": [{"table": table, "message": message} for table, message in self.remarks()],
            "stopped_events": dict(self.stopped),
            "silent_days": [day.isoformat() for day in self.silent.days],
        }

    def remarks(self) -> Iterator[tuple[str, str]]:
        """Table and sentence for everything that an admin should know of."""
        for table in self.tables:
            for sentence in _of_table(table):
                yield table.name, sentence
        if self.accounts_twice:
            many = f"{self.accounts_twice:,} of {counted(self.accounts, 'account')}"
            one = impersonal(self.account_twice)
            example = f', such as "{one}"' if one else ""
            yield "accounts", f"{many} stand there more than once{example}"
        if self.silent.days:
            yield "events", _of_silent_days(self.silent)
        for event, successor in self.stopped.items():
            began = f'; "{successor}" began' if successor else ""
            yield "events", f'"{event}" stopped for all accounts while other events go on{began}'


def _of_silent_days(silent: SilentDays) -> str:
    days = ", ".join(day.isoformat() for day in silent.days)
    usual = f"{min(silent.usual.values()):,.0f} or more are usual"
    return f"no events on {days}, {usual}: load them again; windows that lost more than {MOST_LOST:.0%} are unknown"


def impersonal(value: object) -> str | None:
    """A cell that a report may repeat: ids may be e-mail addresses, and those are not."""
    return None if value is None or "@" in str(value) else str(value)


def example_of(value: object) -> str | None:
    """An unreadable cell as an example; None for one that may be about a person, and for bytes.

    What looks like a telephone number, a birth date or the number of a card shows its form: ``#`` for each digit.
    """
    text = impersonal(value)
    if text is None or text == NO_TEXT or sum(map(str.isalpha, text)) > _MOST_LETTERS:
        return None
    shown = re.sub(r"\d", "#", text) if _PERSONAL_DIGITS.search(text) else text
    return f'"{shown[:_LONGEST_EXAMPLE]}"'


def _of_table(table: TableFindings) -> Iterator[str]:
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
    reversed_dates = {f"{dates.end} before {dates.start}": dates.rows for dates in table.reversed}
    for kind, rows in (reversed_dates | dict(table.contradictions)).items():
        if rows:
            yield f"{_share(rows, table.rows)} contradict themselves: {kind}"


def _without_ids(table: TableFindings) -> Iterator[str]:
    found = table.repeated
    if found is not None and found.repeats:
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
