"""config/product.yaml: where the product's data is and what its tables and columns are called there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from connectors.base.values import host_of
from worker.language.suggest import suggestion
from worker.language.units import Duration
from worker.settings.base import DurationText, Finding, SecretRef, Strict
from worker.settings.known import Known
from worker.settings.money import CurrencyCode, Rates, rates_at
from worker.settings.product_columns import ColumnText, ZoneText
from worker.settings.product_schema import COMPUTED, SCHEMA, mappable
from worker.settings.trust import TrustSettings

_FIRST_WORD = re.compile(r"(?:\s|\(|--[^\n]*(?:\n|$)|/\*.*?\*/)*(\w*)", re.DOTALL)
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_OF_LISTS: tuple[type | tuple[type, ...], ...] = (bool, str, (int, float))


def _a_select(query: str) -> str:
    """The query as the engine gets it. Only its own parser, when the source is open, says that it is one SELECT."""
    first = _FIRST_WORD.match(query)
    if first is None or first[1].lower() not in {"select", "with", "from", "values", "table"}:
        raise ValueError("a query must be one SELECT (it may begin with WITH)")
    return query.strip().rstrip("; \t\n")


def _days(duration: Duration) -> Duration:
    if duration.kind != "days":
        raise ValueError("expected days or weeks, such as 30d")
    return duration


DaysText = Annotated[DurationText, AfterValidator(_days)]


class SourceSettings(Strict):
    """Where the data is: exactly one of the four. Paths count from the project folder; nothing is ever written."""

    duckdb: str | None = None
    """A DuckDB file."""
    folder: str | None = None
    """A folder of Parquet and CSV files: a table is a file, a folder of files or a pattern inside it."""
    sqlite: str | None = None
    """A SQLite file."""
    postgres: SecretRef | None = None
    """A PostgreSQL URL, kept in the environment or a file."""
    memory: Annotated[str, Field(pattern=r"^[1-9][0-9]*(MB|GB)$")] = "512MB"
    """The most memory DuckDB may use; it goes to disk beyond that."""

    @model_validator(mode="after")
    def _exactly_one(self) -> SourceSettings:
        given = [kind for kind in ("duckdb", "folder", "sqlite", "postgres") if getattr(self, kind)]
        if len(given) != 1:
            raise ValueError("give exactly one of duckdb, folder, sqlite, postgres")
        return self


class TableMapping(Strict):
    """One of our tables in the product's own words. Columns not named here are looked for under our name."""

    source: str | None = None
    """Where it is: a name of ``sources``."""
    table: str | None = None
    """Its name there (``schema.table`` in a database, a file or pattern in a folder)."""
    query: Annotated[str, AfterValidator(_a_select)] | None = None
    """One SELECT to use instead of a table."""
    from_: Literal["events"] | None = Field(default=None, alias="from")
    """For accounts and memberships only: everybody in the events, from their first event on."""
    columns: dict[str, ColumnText] = Field(default_factory=dict)
    """Our column: their column, or a block that also says how it is written."""
    extra: dict[str, str] = Field(default_factory=dict)
    """Only accounts: more columns of theirs, each known as ``account.<name>`` in playbooks and scores."""

    encoding: Literal["utf-8", "utf-16", "latin-1"] = "utf-8"
    """The encoding of CSV files."""

    @model_validator(mode="after")
    def _exactly_one(self) -> TableMapping:
        if sum(given is not None for given in (self.table, self.query, self.from_)) != 1:
            raise ValueError("give exactly one of table, query, from")
        return self


class Tables(Strict):
    """Only accounts and events must be mapped; a signal that needs a table that is not stays unknown."""

    accounts: TableMapping
    """The customers of the product: one row per account."""
    events: TableMapping
    """What happened in the product: one row per event."""
    users: TableMapping | None = None
    """The people who use the product."""
    memberships: TableMapping | None = None
    """Which person belongs to which account, in which role, from when to when."""
    subscriptions: TableMapping | None = None
    """Plans, seats, recurring revenue and terms."""
    mrr_movements: TableMapping | None = None
    """Changes of recurring revenue."""
    invoices: TableMapping | None = None
    """Invoices, due and paid."""
    surveys: TableMapping | None = None
    """Answers to surveys such as NPS and CSAT."""
    invites: TableMapping | None = None
    """Invitations of people into accounts."""
    tickets: TableMapping | None = None
    """Support tickets."""
    usage_limits: TableMapping | None = None
    """Limits of the plan and how much of each is used."""


class AccountSettings(Strict):
    """What an account is."""

    level: Literal["account", "parent"] = "account"
    """``parent``: the rows of an account with a ``parent_id`` count for the account at the top of its parents."""


class Exclude(Strict):
    """Accounts that never count: your own, test accounts, deleted ones.

    Where the accounts table has no ``is_internal``, naming ``accounts`` or ``domains`` here (an empty list counts)
    says that all others are customers; otherwise ``account.is_internal`` stays unknown.
    """

    internal: bool = True
    """Leave out accounts with ``is_internal``."""
    deleted: bool = True
    """Leave out accounts with a ``deleted_at`` in the past."""
    accounts: list[str | int] | None = None
    """Ids of accounts to leave out."""
    domains: list[str] | None = None
    """Domains of accounts to leave out."""

    @property
    def is_a_full_list(self) -> bool:
        """Whether what is not named here can be taken for a customer."""
        return self.accounts is not None or self.domains is not None

    @cached_property
    def ids(self) -> frozenset[str]:
        """The ids of ``accounts``, as text."""
        return frozenset(map(str, self.accounts or ()))

    @cached_property
    def hosts(self) -> frozenset[str]:
        """The hosts of ``domains``, as the domains of accounts are compared."""
        return frozenset(map(host_of, self.domains or ())) - {""}


class ProductSettings(Strict):
    """The whole of config/product.yaml."""

    version: Literal[1]
    source: SourceSettings | None = None
    sources: dict[str, SourceSettings] = Field(default_factory=dict)
    """Several sources by name, instead of ``source``; each table says which with ``source: NAME``."""
    time_zone: ZoneText = "UTC"
    """Days begin and end here."""
    account: AccountSettings = AccountSettings()
    exclude: Exclude = Exclude()
    dunning_grace: DaysText = Duration("days", 30)
    """How many days a past-due subscription stays in force after its term ended."""
    reporting_currency: CurrencyCode | None = None
    """Amounts are converted to this currency; without it, an account with amounts in two currencies has no total."""
    rates: list[Rates] = Field(default_factory=list)
    """What other currencies are worth in it, from which day on; a currency without a rate makes amounts unknown."""
    nothing: list[str] = Field(default_factory=list)
    r"""More words that mean nothing is known, beside ``NULL``, ``\N``, ``None``, ``nan``, ``undefined`` and ``-``."""
    lists: dict[str, Annotated[list[str | int | float | bool], Field(min_length=1)]] = Field(default_factory=dict)
    """Named lists of values: ``paying_plans: [team, pro]`` allows ``plan in paying_plans`` in conditions, and
    ``where: {plan: {in: paying_plans}}`` in signals."""
    trust: TrustSettings = TrustSettings()
    """How much of the data may be wrong before a run refuses it."""
    tables: Tables

    @model_validator(mode="after")
    def _source_or_sources(self) -> ProductSettings:
        if (self.source is not None) == bool(self.sources):
            raise ValueError('give exactly one of "source" and "sources"')
        return self

    def source_of(self, mapping: TableMapping) -> SourceSettings:
        """The source that a table is in."""
        return self.source or self.sources[str(mapping.source)]

    @property
    def zone(self) -> ZoneInfo:
        """The zone of ``time_zone``."""
        return ZoneInfo(self.time_zone)

    @property
    def grace(self) -> timedelta:
        """``dunning_grace`` as a length of time."""
        return timedelta(days=self.dunning_grace.n)

    def rates_at(self, at: datetime) -> dict[str, float]:
        """Currency → what one unit is worth in the reporting currency at ``at``; empty without a reporting currency."""
        return rates_at(self.reporting_currency, self.rates, at) if self.reporting_currency else {}

    def mapped(self) -> dict[str, TableMapping]:
        """The mapping of every table that has one."""
        given = {name: getattr(self.tables, name) for name in SCHEMA}
        return {name: mapping for name, mapping in given.items() if mapping is not None}


def account_fields(product: ProductSettings) -> frozenset[str]:
    """The ``account.*`` names every account has, known or not."""
    own = {"account.id", "account.age_days"} | {f"account.{name}" for name in SCHEMA["accounts"].columns}
    return frozenset(own - {"account.account_id"} | {f"account.{name}" for name in product.tables.accounts.extra})


def is_of_one_kind(values: Iterable[object]) -> bool:
    """Whether a list has values that one condition can compare with."""
    kinds = {next((kind for kind in _OF_LISTS if isinstance(one, kind)), None) for one in values}
    return len(kinds) == 1 and None not in kinds


def check_product(settings: ProductSettings, known: Known) -> Iterable[Finding]:  # noqa: ARG001 - one shape for all checks
    """Names that exist nowhere and mappings that cannot work, without looking at the data."""
    yield from _rate_findings(settings)
    if settings.account.level == "parent" and settings.tables.accounts.from_:
        yield Finding(("account", "level"), 'accounts "from: events" have no parents: map a table of accounts')
    for name, values in settings.lists.items():
        if not _NAME.fullmatch(name):
            yield Finding(("lists", name), f'"{name}" must be a small name such as paying_plans', of_key=True)
        if not is_of_one_kind(values):
            yield Finding(("lists", name), "all values of a list are of one kind: texts, numbers, or true and false")
    for table, mapping in settings.mapped().items():
        loc = ("tables", table)
        if mapping.from_ and table not in {"accounts", "memberships"}:
            yield Finding((*loc, "from"), f'"from: events" works for accounts and memberships, not for {table}')
        yield from _source_findings(settings, table, mapping)
        if mapping.from_ and mapping.columns:
            yield Finding((*loc, "columns"), '"from: events" takes its columns from the events: remove "columns"')
        yield from _column_findings(table, mapping)
        yield from _extra_findings(table, mapping)


def _source_findings(settings: ProductSettings, table: str, mapping: TableMapping) -> Iterator[Finding]:
    loc, name = ("tables", table, "source"), mapping.source
    known = f". Known: {', '.join(settings.sources)}"
    if name is not None and mapping.from_:
        yield Finding(loc, '"from: events" takes its rows from the events: remove "source"')
    elif name is not None and not settings.sources:
        yield Finding(loc, 'there is one source only: remove this line, or name several under "sources"')
    elif name is not None and name not in settings.sources:
        yield Finding(loc, f'unknown source "{name}"{suggestion(name, settings.sources, known)}')
    elif name is None and settings.sources and not mapping.from_:
        yield Finding(loc[:2], f'"source" is missing in {table}: say where it is{known}', of_key=True)


def _rate_findings(settings: ProductSettings) -> Iterator[Finding]:
    if settings.rates and settings.reporting_currency is None:
        yield Finding(("rates",), "rates need a reporting_currency: write the currency that amounts are converted to")
    seen = set()
    for index, rates in enumerate(settings.rates):
        if rates.since in seen:
            yield Finding(("rates", index, "since"), f"there are rates since {rates.since} already: put them together")
        seen.add(rates.since)
        if settings.reporting_currency in rates.worth:
            message = f"one {settings.reporting_currency} is always worth 1 {settings.reporting_currency}: remove it"
            yield Finding(("rates", index, "worth", str(settings.reporting_currency)), message)


def _column_findings(table: str, mapping: TableMapping) -> Iterator[Finding]:
    for column in mapping.columns:
        loc = ("tables", table, "columns", column)
        if column in mappable(table) or (table == "events" and re.fullmatch(r"props(\.\w+)+", column)):
            continue
        if column in COMPUTED.get(table, frozenset()):
            yield Finding(loc, f'"{column}" is worked out from the dates of a row and cannot be mapped')
            continue
        known = f". Known: {', '.join(sorted(mappable(table)))}"
        if table == "accounts":
            known += '. A column of your own goes under "extra"'
        yield Finding(loc, f'unknown column "{column}" of {table}{suggestion(column, mappable(table), known)}')


def _extra_findings(table: str, mapping: TableMapping) -> Iterator[Finding]:
    if mapping.extra and table != "accounts":
        yield Finding(("tables", table, "extra"), '"extra" works for accounts only')
        return
    if mapping.extra and mapping.from_:
        yield Finding(("tables", table, "extra"), 'accounts "from: events" have no columns of their own')
    for name in mapping.extra:
        loc = ("tables", table, "extra", name)
        if name in SCHEMA["accounts"].columns or name in {"id", "age_days"}:
            yield Finding(loc, f'"{name}" is one of our own columns: move it to "columns"')
        elif not _NAME.fullmatch(name):
            yield Finding(loc, f'"{name}" must be a small name such as sales_channel')
