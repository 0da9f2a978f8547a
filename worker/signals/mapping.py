"""The user's tables under our names: which columns there are, and each as SQL of the right kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import quoted_name

from worker.language.suggest import suggestion
from worker.settings.product import ProductSettings, TableMapping
from worker.settings.product_schema import SCHEMA, kind_of, mappable
from worker.signals.constructs import Column, IdText, JsonText, Kind, MomentOf, NumberOf
from worker.signals.duck import files_relation
from worker.signals.engines import Engine
from worker.signals.errors import SourceError

_TRUE = ("true", "t", "yes", "y", "1", "1.0")
_FALSE = ("false", "f", "no", "n", "0", "0.0")


@dataclass(frozen=True, slots=True)
class MappedTable:
    """One table of ours as it exists in the source. Every column method answers SQL of one kind."""

    name: str
    rows: sa.FromClause
    columns: Mapping[str, tuple[str, Kind]]
    """Our column: the source's column and its kind."""

    def has(self, column: str) -> bool:
        """Whether ``column`` is mapped; ``props.x`` also when there is a JSON column to look into."""
        return column in self.columns or (column.startswith("props.") and "props" in self.columns)

    def raw(self, column: str) -> Column:
        """The column as it is, for grouping. Where an engine has no column types, an id is made text here already."""
        theirs, kind = self.columns[column]
        found: Column = self.rows.c[theirs]
        return IdText(found, kind) if kind == "any" and self._kind(column) == "id" else found

    def kind(self, column: str) -> Kind:
        """The kind of ``column`` by the engine."""
        return self.columns[column][1]

    def id(self, column: str) -> Column:
        """An id as text."""
        theirs, kind = self.columns[column]
        return IdText(self.rows.c[theirs], kind)

    def time(self, column: str) -> Column:
        """A moment that can be compared."""
        theirs, kind = self.columns[column]
        if kind in {"number", "float"}:
            raise SourceError(
                f'column "{theirs}" of {self.name} holds numbers, not times: '
                "map the table with a query that makes them timestamps"
            )
        return MomentOf(self.rows.c[theirs], kind)

    def number(self, column: str) -> Column:
        """A finite number, or NULL."""
        if column not in self.columns:
            return NumberOf(self.text(column), "text")
        theirs, kind = self.columns[column]
        return NumberOf(self.rows.c[theirs], kind)

    def text(self, column: str) -> Column:
        """Text as it stands there."""
        if column not in self.columns:
            theirs, kind = self.columns["props"]
            return JsonText(self.rows.c[theirs], column.removeprefix("props."), kind)
        theirs, kind = self.columns[column]
        return sa.cast(self.rows.c[theirs], sa.Text()) if kind != "text" else self.rows.c[theirs]

    def flag(self, column: str) -> Column:
        """True, false or NULL, also from 1/0 and yes/no."""
        if column in self.columns and self.columns[column][1] == "flag":
            return self.rows.c[self.columns[column][0]]
        text = folded(self.text(column))
        return sa.case((text.in_(_TRUE), sa.true()), (text.in_(_FALSE), sa.false()))

    def value(self, column: str) -> Column:
        """The column as our schema means it."""
        by_kind = {"id": self.id, "time": self.time, "number": self.number, "flag": self.flag}
        return by_kind.get(self._kind(column), self.text)(column)

    def _kind(self, column: str) -> str:
        return kind_of(self.name, column)


def folded(text: Column) -> Column:
    """Text for comparing: any case, no blanks around it."""
    return sa.func.lower(sa.func.trim(text))


@dataclass(slots=True)
class Catalogue:
    """The part of the mapping that exists in the source. Each table is inspected once, at its first use."""

    engine: Engine
    product: ProductSettings
    root: Path
    _seen: dict[str, MappedTable] = field(default_factory=dict)

    def table(self, name: str) -> MappedTable | None:
        """A table with its columns; None when it is not mapped or is taken from the events.

        Raises SourceError when it is mapped but cannot be read.
        """
        mapping = self.product.mapped().get(name)
        if mapping is None or mapping.from_:
            return None
        if name not in self._seen:
            self._seen[name] = self._look(name, mapping)
        return self._seen[name]

    @property
    def events(self) -> MappedTable:
        """The events, which every product has."""
        table = self.table("events")
        if table is None:
            raise SourceError("the events need a table or query of their own")
        return table

    def _look(self, name: str, mapping: TableMapping) -> MappedTable:
        try:
            theirs = self.engine.probe(self._rows(mapping, ()))
        except SourceError as error:
            raise SourceError(f"table {name}: {self._explained(mapping, error)}") from error
        wanted = {**{column: column for column in mappable(name)}, **mapping.columns}
        if name == "accounts":
            wanted |= {f"extra.{ours}": column for ours, column in mapping.extra.items()}
        columns: dict[str, tuple[str, Kind]] = {}
        for ours, column in wanted.items():
            found = self.spelled(column, theirs)
            if found is not None:
                columns[ours] = (found, theirs[found])
            elif ours in mapping.columns or ours.startswith("extra."):
                raise SourceError(f"table {name}: {no_column(column, theirs)}")
        for ours in SCHEMA[name].required:
            if ours not in columns:
                raise SourceError(
                    f"table {name} has no column {ours}: name yours under tables: {name}: columns: "
                    f"(found: {', '.join(list(theirs)[:20])})"
                )
        return MappedTable(name, self._rows(mapping, tuple(theirs)).alias(f"s_{name}"), columns)

    def spelled(self, column: str, theirs: Mapping[str, Kind]) -> str | None:
        """Their exact spelling of ``column``: only PostgreSQL tells cases apart."""
        if column in theirs or self.engine.name == "postgresql":
            return column if column in theirs else None
        return next((name for name in theirs if name.lower() == column.lower()), None)

    def _rows(self, mapping: TableMapping, columns: tuple[str, ...]) -> sa.FromClause:
        quoted: list[sa.ColumnClause[Any]] = [sa.column(quoted_name(name, quote=True)) for name in columns]
        folder = self.product.source.folder
        if mapping.table is not None and not folder:
            schema, _, table = mapping.table.rpartition(".")
            return sa.table(
                quoted_name(table, quote=True), *quoted, schema=quoted_name(schema, quote=True) if schema else None
            )
        query = mapping.query
        if query is None:
            query = files_relation(self.root / str(folder), str(mapping.table))
        # The line break ends a comment on the query's last line; colons are no parameters here.
        return sa.text(query.replace(":", "\\:") + "\n").columns(*quoted).subquery("s_rows")

    def _explained(self, mapping: TableMapping, error: SourceError) -> str:
        if mapping.table is None or self.product.source.folder:
            return f"{error}{suggestion(mapping.table or '', self.engine.tables())}"
        known = self.engine.tables()
        if mapping.table in known:
            return str(error)
        hint = suggestion(mapping.table, known, f". Found: {', '.join(known[:20]) or 'no tables at all'}")
        return f'there is no table "{mapping.table}"{hint}'


def no_column(column: str, theirs: Mapping[str, Any]) -> str:
    """The message for a column that is not there."""
    found = f". Found: {', '.join(list(theirs)[:30])}"
    return f'no column "{column}"{suggestion(column, theirs, found)}'
