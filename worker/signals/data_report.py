"""What a look at the product's data found: per table and per event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from worker.language.plural import counted
from worker.signals.table_findings import JoinFindings, TableFindings, impersonal, table_remarks


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
    allowed: float = 0.0
    """The share of a window's events that may be missing."""

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
    """Events that occurred until lately and then hardly at all, and the event that seems to have taken their place."""
    stopped_properties: Mapping[tuple[str, str], date] = field(default_factory=dict)
    """Event and property that it had until a day, the last one, and no more."""
    silent: SilentDays = SilentDays()
    last_day: date | None = None
    """The last whole day of the data."""

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
            "stopped_properties": [
                {"event": event, "property": prop, "last": day.isoformat()}
                for (event, prop), day in self.stopped_properties.items()
            ],
            "silent_days": [day.isoformat() for day in self.silent.days],
        }

    def remarks(self) -> Iterator[tuple[str, str]]:
        """Table and sentence for everything that an admin should know of."""
        for table in self.tables:
            for sentence in table_remarks(table):
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
            yield "events", f'"{event}" stopped for all accounts{self._rest(event)} while other events go on{began}'
        for (event, prop), day in self.stopped_properties.items():
            yield "events", f'"{event}" had {prop} until {day.isoformat()} and no more: what reads it is unknown'

    def _rest(self, event: str) -> str:
        """What still comes of an event that stopped."""
        found = self.events.get(event)
        few = found.days.get(self.last_day, 0) if found and self.last_day else 0
        return f" (but {few:,} of {self.last_day})" if few else ""


def _of_silent_days(silent: SilentDays) -> str:
    days = ", ".join(day.isoformat() for day in silent.days)
    usual = f"{min(silent.usual.values()):,.0f} or more are usual"
    lost = f"windows that lost more than {100 * silent.allowed:g}% are unknown"
    return f"no events on {days}, {usual}: load them again; {lost}"
