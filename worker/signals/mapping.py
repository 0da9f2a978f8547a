"""The user's tables under our names: which columns of ours there are, and of which kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import quoted_name

from connectors.clock import now
from worker.language.suggest import suggestion
from worker.settings.product import ProductSettings, TableMapping
from worker.settings.product_schema import SCHEMA, ColumnKind, kind_of, mappable
from worker.signals.companies import company_of, of_companies, only_companies
from worker.signals.constructs import Column, Kind
from worker.signals.engines import Engine
from worker.signals.errors import NoFile, SourceError
from worker.signals.excluded import excluded_domains, is_out
from worker.signals.files import Needed, files_relation
from worker.signals.mapped_table import MappedTable
from worker.signals.property_kinds import TypedProperties
from worker.signals.reading.texts import NOTHING
from worker.signals.row_marks import marks_among
from worker.signals.source_columns import SourceColumn
from worker.telemetry.steps import report_step

if TYPE_CHECKING:
    from worker.signals.several import Several

_FITTING: Mapping[ColumnKind, frozenset[Kind]] = {
    "id": frozenset({"text", "number", "float", "any"}),
    "text": frozenset({"text", "number", "float", "flag", "time", "naive", "date", "any"}),
    "number": frozenset({"number", "float", "text", "any"}),
    "time": frozenset({"time", "naive", "date", "text", "number", "float", "any"}),
    "flag": frozenset({"flag", "number", "float", "text", "any"}),
    "json": frozenset({"json", "struct", "text", "any"}),
}
"""The kinds of their columns that each kind of ours can be read from."""


@dataclass(slots=True, kw_only=True)
class Catalogue:
    """The part of the mapping that exists in the source. Each table is inspected once, at its first use."""

    engine: Engine
    product: ProductSettings
    root: Path
    read_at: datetime = field(default_factory=now)
    """The moment of reading; a time more than a day later is not believed."""
    names_of_spellings: Mapping[str, str] = field(default_factory=dict)
    """Other spelling of an event → the name under which it counts."""
    typed_properties: TypedProperties = field(default_factory=dict)
    several: Several | None = None
    """What brings the tables of several sources into ``engine``."""
    _seen: dict[str, MappedTable] = field(default_factory=dict)
    _read: dict[str, MappedTable] = field(default_factory=dict)
    _companies: sa.CTE | None = None
    _domains: frozenset[str] | None = None

    def table(self, name: str) -> MappedTable | None:
        """A table with its columns; None when it is not mapped or is taken from the events.

        With ``account.level: parent`` its accounts are companies. Raises SourceError when it is mapped but cannot be
        read.
        """
        found = self.as_mapped(name)
        if found is None:
            return None
        if name not in self._read:
            of_companies = self.product.account.level == "parent" and found.has("account_id")
            self._read[name] = (self._roll_up(found) if of_companies else found).read_once()
        return self._read[name]

    def _roll_up(self, table: MappedTable) -> MappedTable:
        if self._companies is None:
            accounts = self.as_mapped("accounts")
            if accounts is None or not accounts.has("parent_id"):
                raise SourceError("account.level: parent needs the parents: map the column parent_id of accounts")
            self._companies = company_of(accounts, self.is_out(accounts, self.read_at))
        return (only_companies if table.name == "accounts" else of_companies)(table, self._companies)

    def is_out(self, accounts: MappedTable, at: datetime) -> Column:
        """Whether a row of the accounts does not count at ``at``, never NULL. Raises SourceError."""
        if self._domains is None:
            self._domains = excluded_domains(self.engine, accounts, self.product.exclude)
        return is_out(accounts, self.product.exclude, self._domains, at)

    def as_mapped(self, name: str) -> MappedTable | None:
        """A table as it is in the source, whatever an account is."""
        mapping = self.product.mapped().get(name)
        if mapping is None or mapping.from_:
            return None
        if name not in self._seen:
            self._seen[name] = self._look(name, mapping)
        return self._seen[name]

    def materialized(self, table: MappedTable) -> MappedTable:
        """``table`` with what is read of its text as a table of the engine's own, where it can have one."""
        if not table.reads_text:
            return table
        read = table.read_once(texts=True)
        with_marks = {column.name: column for column in (*read.carried(), *map(read.cell_of, table.marks.values()))}
        rows = self.engine.materialize(f"s_{table.name}_read", sa.select(*with_marks.values()))
        return table if rows is None else replace(table, rows=rows)

    def remember(self, table: MappedTable) -> None:
        """Use ``table``, of which more is known now, from here on."""
        self._seen[table.name] = table
        self._read.clear()
        self._companies = None

    @property
    def events(self) -> MappedTable:
        """The events, which every product has."""
        table = self.table("events")
        if table is None:
            raise SourceError("the events need a table or query of their own")
        return table

    @contextmanager
    def naming(self, name: str) -> Iterator[None]:
        """Names the table in the message of a SourceError, and its place in config/product.yaml."""
        try:
            yield
        except SourceError as error:
            what = "table" if self.product.mapped()[name].query is None else "query"
            raise SourceError(f"table {name}: {error}", ("tables", name, what)) from error

    def _look(self, name: str, mapping: TableMapping) -> MappedTable:
        reader = self.engine if self.several is None else self.several.readers[mapping.source]
        report_step(f"opening table {name}")
        with self.naming(name):
            try:
                if mapping.query is not None:
                    reader.check_query(mapping.query)
                query = self._query(name, mapping)
                theirs = reader.probe(self._rows(mapping, query, ()))
            except SourceError as error:
                raise SourceError(self._explained(mapping, reader, error)) from error
        columns = dict(self._columns(name, mapping, theirs, exact=reader.name == "postgresql"))
        for ours in SCHEMA[name].required:
            if ours not in columns:
                raise SourceError(
                    f"table {name} has no column {ours}: name yours under tables: {name}: columns: "
                    f"(found: {', '.join(list(theirs)[:20])})"
                )
        unique = query is None and self._is_unique(name, mapping, columns, reader)
        rows = self._rows(mapping, query, tuple(theirs))
        marks = marks_among(name, columns, theirs)
        if self.several is not None:
            with self.naming(name):
                rows, taken = self.several.take(name, mapping, rows, {**columns, **marks})
            columns, marks = ({ours: taken[ours] for ours in some} for some in (columns, marks))
        return MappedTable(
            name=name,
            rows=rows.alias(f"s_{name}"),
            columns=columns,
            nothing=(*NOTHING, *(word.strip().lower() for word in self.product.nothing)),
            read_at=self.read_at,
            zone=self.product.time_zone,
            unique=unique,
            marks=marks,
            names_of_spellings=self.names_of_spellings if name == "events" else {},
        )

    def _columns(
        self, name: str, mapping: TableMapping, theirs: Mapping[str, Kind], *, exact: bool
    ) -> Iterator[tuple[str, SourceColumn]]:
        """Every column of ours that is there. Raises SourceError where a mapped one is not, or cannot be read."""
        for ours in sorted(mappable(name) | mapping.columns.keys()):
            written = mapping.columns.get(ours)
            wanted = ours if written is None else written.name
            found = spelled(wanted, theirs, exact=exact)
            if found is not None:
                if theirs[found] not in _FITTING[kind_of(name, ours)]:
                    raise SourceError(f"table {name}: {_wrong_kind(found, ours, kind_of(name, ours), theirs[found])}")
                yield ours, SourceColumn(found, theirs[found], written)
            elif written is not None:
                raise SourceError(f"table {name}: {no_column(wanted, theirs)}")
        for ours, wanted in mapping.extra.items() if name == "accounts" else ():
            found = spelled(wanted, theirs, exact=exact)
            if found is None:
                raise SourceError(f"table {name}: {no_column(wanted, theirs)}")
            if theirs[found] == "bytes":
                raise SourceError(f'table {name}: column "{found}" holds bytes: map a query that converts it')
            yield f"extra.{ours}", SourceColumn(found, theirs[found])

    def _query(self, name: str, mapping: TableMapping) -> str | None:
        """The SELECT that stands for a table: its own, or one that reads its files. None for a table of a database."""
        folder = self.product.source_of(mapping).folder
        if mapping.query is not None or not folder:
            return mapping.query
        return files_relation(self.root / folder, str(mapping.table), self._needed(name, mapping), mapping.encoding)

    @staticmethod
    def _is_unique(name: str, mapping: TableMapping, columns: Mapping[str, SourceColumn], reader: Engine) -> bool:
        """Whether the database itself lets no row repeat the key of another."""
        key = SCHEMA[name].key
        if not key or key[0] not in columns:
            return False
        theirs = {columns[ours].name for ours in key if ours in columns}
        return any(index <= theirs for index in reader.unique_columns(str(mapping.table)))

    @staticmethod
    def _rows(mapping: TableMapping, query: str | None, columns: tuple[str, ...]) -> sa.FromClause:
        quoted: list[sa.ColumnClause[Any]] = [sa.column(quoted_name(name, quote=True)) for name in columns]
        if query is None:
            schema, _, table = str(mapping.table).rpartition(".")
            return sa.table(
                quoted_name(table, quote=True), *quoted, schema=quoted_name(schema, quote=True) if schema else None
            )
        # The line break ends a comment on the query's last line; colons are no parameters here.
        return sa.text(query.replace(":", "\\:") + "\n").columns(*quoted).subquery("s_rows")

    @staticmethod
    def _needed(name: str, mapping: TableMapping) -> Needed:
        """Their names of our columns, of those without which the table says nothing, and of all that are mapped."""
        theirs = {
            ours: mapping.columns[ours].name if ours in mapping.columns else ours for ours in sorted(mappable(name))
        }
        extra = mapping.extra.values() if name == "accounts" else ()
        others = (column.name for ours, column in mapping.columns.items() if ours not in theirs)
        required = tuple(theirs[ours] for ours in SCHEMA[name].required)
        return Needed(tuple(theirs.values()), required, (*theirs.values(), *others, *extra))

    def _explained(self, mapping: TableMapping, reader: Engine, error: SourceError) -> str:
        if mapping.table is None:
            return str(error)
        if self.product.source_of(mapping).folder:
            return f"{error}{suggestion(mapping.table, reader.tables()) if isinstance(error, NoFile) else ''}"
        known = reader.tables()
        if mapping.table in known:
            return str(error)
        hint = suggestion(mapping.table, known, f". Found: {', '.join(known[:20]) or 'no tables at all'}")
        return f'there is no table "{mapping.table}"{hint}'


def spelled(column: str, theirs: Mapping[str, Any], *, exact: bool) -> str | None:
    """Their spelling of ``column``; of another case unless ``exact``."""
    if column in theirs or exact:
        return column if column in theirs else None
    return next((name for name in theirs if name.lower() == column.lower()), None)


def no_column(column: str, theirs: Mapping[str, Any]) -> str:
    """The message for a column that is not there."""
    found = f". Found: {', '.join(list(theirs)[:30])}"
    return f'no column "{column}"{suggestion(column, theirs, found)}'


def _wrong_kind(column: str, ours: str, wanted: ColumnKind, found: Kind) -> str:
    needed = {"json": "JSON", "id": "ids", "time": "times", "number": "numbers", "flag": "yes or no", "text": "text"}
    what = "of a kind that cannot be read" if found == "other" else f"of the kind {found}"
    return f'column "{column}" is {what}, but {ours} needs {needed[wanted]}: map a query that converts it'
