"""The product's data, opened for reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa

from connectors.clock import now
from worker.settings.base import Loc
from worker.settings.environment import SecretMissing, secret
from worker.settings.product import ProductSettings, SourceSettings
from worker.signals.accounts import account_ids, undecided_accounts
from worker.signals.companies import parents_of
from worker.signals.constructs import Kind
from worker.signals.data_report import DataReport
from worker.signals.engines import Engine
from worker.signals.errors import SourceError
from worker.signals.mapping import Catalogue
from worker.signals.postgres import open_postgres
from worker.signals.property_kinds import TypedProperties
from worker.signals.sqlite import open_sqlite
from worker.signals.survey import survey
from worker.signals.table_columns import EARLIEST
from worker.signals.volume import usual_between


@dataclass(slots=True)
class Source:
    """Product data as `config/product.yaml` maps it. A context manager; nothing is ever written through it.

    Open it inside the process that uses it: DuckDB must not be carried over a fork.
    """

    engine: Engine
    catalogue: Catalogue
    _report: DataReport | None = None
    _occurs: dict[str, bool] = field(default_factory=dict)

    def report(self, as_of: datetime) -> DataReport:
        """What a look at all tables found, once per opened source."""
        if self._report is None:
            self._report = survey(self.catalogue, as_of)
        return self._report

    @property
    def found(self) -> DataReport | None:
        """The report where the tables have been looked at."""
        return self._report

    def warnings(self) -> Iterator[tuple[Loc, str]]:
        """What an operator should change about our access, at its place in config/product.yaml."""
        several = self.catalogue.several
        readers: Mapping[str | None, Engine] = {None: self.engine} if several is None else several.readers
        for name, reader in readers.items():
            for message in reader.warnings():
                yield ("source",) if name is None else ("sources", name), message

    def occurs(self, prop: str) -> bool:
        """Whether any event has the property ``prop`` (``props.x``), whenever it happened."""
        if prop not in self._occurs:
            events = self.catalogue.events
            one: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(events.rows)
            self._occurs[prop] = bool(self.engine.run(one.where(events.text(prop).is_not(None)).limit(1)))
        return self._occurs[prop]

    def columns(self, table: str) -> dict[str, Kind]:
        """Our columns of ``table`` that exist in the source, and their kinds. Empty when it is not mapped."""
        mapped = self.catalogue.table(table)
        return {} if mapped is None else {ours: column.kind for ours, column in mapped.columns.items()}

    def account_ids(self, as_of: datetime) -> frozenset[str]:
        """The id of every account that existed before ``as_of``, also of those that do not count."""
        return account_ids(self.catalogue, as_of)

    def undecided(self) -> frozenset[str]:
        """The id of every account of which nobody can say whether it is deleted."""
        return undecided_accounts(self.catalogue)

    def parents(self) -> dict[str, str | None]:
        """The parent of every account, None without one. Raises SourceError where the column is not mapped."""
        accounts = self.catalogue.as_mapped("accounts")
        if accounts is None or not accounts.has("parent_id"):
            message = "record: parent in config/crm.yaml needs the parents: map the column parent_id of accounts"
            raise SourceError(message, ("tables", "accounts"))
        rows = self.catalogue.engine.run(parents_of(accounts))
        return {str(row[0]): None if row[1] is None else str(row[1]) for row in rows}

    def usual_since(self, latest: datetime, as_of: datetime) -> float | None:
        """How many events are usual in the hours of the week between ``latest`` and ``as_of``."""
        return usual_between(self.catalogue, latest + timedelta(microseconds=1), as_of, as_of)

    def close(self) -> None:
        """Let go of the database."""
        (self.catalogue.several or self.engine).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _url(ref: str, root: Path, name: str | None = None) -> str:
    try:
        return secret(ref, root)()
    except SecretMissing as missing:
        if name is not None:
            raise SourceError(f"source {name}: its URL is missing: {missing}", ("sources", name)) from missing
        raise SourceError(f"the URL of the product database is missing: {missing}") from missing


_NONE: Mapping[Any, Any] = {}


def open_source(
    product: ProductSettings,
    root: Path,
    as_of: datetime | None = None,
    names_of_spellings: Mapping[str, str] = _NONE,
    typed_properties: TypedProperties = _NONE,
) -> Source:
    """Open the data ``product`` points at; paths count from ``root``. Raises SourceError when that cannot be done.

    Times more than a day after the present, or after ``as_of`` where that is later, are not believed.
    ``names_of_spellings`` maps other spellings of events to the names under which they count;
    ``typed_properties`` are those that the data report tests for numbers and flags.
    """
    several = None
    if product.source is None:
        from worker.signals.several import open_several  # loads DuckDB, as `worker.signals.duck` does

        urls = {name: _url(one.postgres, root, name) for name, one in product.sources.items() if one.postgres}
        several = open_several(product, root, urls)
        engine: Engine = several.engine
    else:
        engine = _open(product.source, product, root)
    catalogue = Catalogue(
        engine=engine,
        product=product,
        root=root,
        read_at=max(now(), as_of or EARLIEST),
        names_of_spellings=names_of_spellings,
        typed_properties=typed_properties,
        several=several,
    )
    return Source(engine, catalogue)


def _open(settings: SourceSettings, product: ProductSettings, root: Path) -> Engine:
    if settings.duckdb or settings.folder:
        return _open_duck(settings, product, root)
    if settings.sqlite:
        return open_sqlite(root / settings.sqlite)
    return open_postgres(_url(str(settings.postgres), root))


def _open_duck(settings: SourceSettings, product: ProductSettings, root: Path) -> Engine:
    from worker.signals.duck import open_duckdb_file, open_folder

    if settings.duckdb:
        return open_duckdb_file(root / settings.duckdb, settings.memory)
    queries = [mapping.query for mapping in product.mapped().values() if mapping.query]
    return open_folder(root / str(settings.folder), settings.memory, queries)
