"""A PostgreSQL database, read in transactions that a query can neither leave nor make writable."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.pool import StaticPool

from worker.settings.problems import excerpt_of
from worker.signals.constructs import Kind
from worker.signals.engines import NOT_ONE_SELECT
from worker.signals.errors import SourceError
from worker.signals.sql import SqlEngine, connect, star

if TYPE_CHECKING:
    import psycopg

_OPTIONS = {
    "timezone": "UTC",
    "datestyle": "ISO",
    "default_transaction_read_only": "on",
    "statement_timeout": "25min",
    "lock_timeout": "1min",
    "idle_in_transaction_session_timeout": "30min",
}
"""Of the session. A run is stopped after 25 minutes; the server ends what is left of it."""

_HARMLESS = frozenset(
    ["random", "random_normal", "gen_random_uuid", "uuidv4", "uuidv7", "clock_timestamp", "timeofday", "pg_backend_pid"]
)
_SIDE_EFFECTS = """
    SELECT DISTINCT f.proname FROM pg_catalog.pg_proc f
    LEFT JOIN pg_catalog.pg_depend d
        ON d.objid = f.oid AND d.classid = 'pg_catalog.pg_proc'::regclass AND d.deptype = 'e'
    WHERE f.provolatile = 'v' AND f.proname = ANY(:words)
        AND (f.pronamespace = 'pg_catalog'::regnamespace OR d.objid IS NOT NULL)
    ORDER BY 1
"""
"""Volatile functions of the server and of extensions: only these may reach out of a read-only transaction, as
pg_read_file, pg_terminate_backend and dblink do. Functions of the database's owner are subject to the transaction."""

_WRITABLE = """
    SELECT c.oid::regclass::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
    ORDER BY 1 LIMIT 1
"""


_UNIQUE = """
    SELECT array_agg(a.attname::text) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_index i ON i.indrelid = c.oid
    CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
    WHERE c.oid = to_regclass(concat_ws('.', quote_ident(:schema), quote_ident(:name)))
        AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND k.place <= i.indnkeyatts
        AND (c.relkind = 'p' OR NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhparent = c.oid))
    GROUP BY i.indexrelid
"""
"""An index of a table with inheritors says nothing of their rows, which a SELECT reads too."""


@dataclass(slots=True, kw_only=True)
class PostgresEngine(SqlEngine):
    """PostgreSQL, in one connection."""

    name: str = "postgresql"

    def check_query(self, query: str) -> None:
        if self._prepare(query):
            raise SourceError("a query has no parameters")
        if re.search(r"u&\s*[\"']", query, re.IGNORECASE):
            raise SourceError('a query has no U&"..." names and texts: write the characters themselves')
        words = sorted({word.lower() for word in re.findall(r"\w+", query)} - _HARMLESS)
        found = self.connection.execute(sa.text(_SIDE_EFFECTS), {"words": words}).scalars().all()
        if found:
            raise SourceError(f"{NOT_ONE_SELECT}; it may not use {', '.join(found)}, which does more than to read")

    def unique_columns(self, table: str) -> list[frozenset[str]]:
        schema, _, name = table.rpartition(".")
        found = self.connection.execute(sa.text(_UNIQUE), {"schema": schema or None, "name": name}).scalars()
        return [frozenset(columns) for columns in found]

    def warnings(self) -> list[str]:
        """One, where our role could write: what a role may not do is refused whatever a query says."""
        superuser = self.connection.execute(sa.text("SELECT current_setting('is_superuser')")).scalar()
        table = self.connection.execute(sa.text(_WRITABLE)).scalar()
        could = "do everything" if superuser == "on" else None if table is None else f"write to {table}"
        if could is None:
            return []
        return [f"the role of this URL may {could}: use one that may only read (docs/connect-data.md has the commands)"]

    def probe(self, rows: sa.FromClause | sa.TextClause) -> dict[str, Kind]:
        """By the server's description of the prepared statement: nothing runs."""
        self._prepare(str(star(rows).compile(dialect=_PLAIN)))
        described = self._server.pgconn.describe_prepared(b"")
        encoding = self._server.info.encoding
        columns = [
            ((described.fname(place) or b"").decode(encoding), described.ftype(place))
            for place in range(described.nfields)
        ]
        return {column: self._kind(type_id) for column, type_id in columns}

    def _prepare(self, sql: str) -> int:
        """Let the server parse ``sql``, which must be one statement; nothing runs. The number of its parameters."""
        from psycopg import Error  # here, because its import takes a tenth of a second
        from psycopg.pq import ExecStatus

        server, encoding = self._server.pgconn, self._server.info.encoding
        try:
            parsed = server.prepare(b"", sql.encode(encoding))
        except (Error, UnicodeEncodeError) as error:
            raise SourceError(_words(str(error))) from error
        if parsed.status != ExecStatus.COMMAND_OK:
            self.connection.rollback()
            message = _words(parsed.get_error_message(encoding))
            if "multiple commands" in message:
                message = f"{NOT_ONE_SELECT}; these are several statements"
            raise SourceError(message)
        return server.describe_prepared(b"").nparams

    @property
    def _server(self) -> psycopg.Connection[Any]:
        return cast("psycopg.Connection[Any]", self.connection.connection.driver_connection)

    def _kind(self, type_id: int) -> Kind:
        """Also of enums, arrays and rows, and of types made by the database's owner that are text."""
        if type_id in _KINDS:
            return _KINDS[type_id]
        found = self.connection.execute(sa.text("SELECT typcategory FROM pg_type WHERE oid = :oid"), {"oid": type_id})
        kinds: Mapping[str, Kind] = {"S": "text", "E": "text", "A": "list", "C": "struct"}
        return kinds.get(str(found.scalar()), "other")

    def tables(self) -> list[str]:
        found = self.connection.execute(
            sa.text(
                "SELECT CASE table_schema WHEN current_schema() THEN '' ELSE table_schema || '.' END || table_name"
                " FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
                " ORDER BY 1"
            )
        )
        return [row[0] for row in found]


def open_postgres(url: str) -> PostgresEngine:
    """A PostgreSQL database in one read-only transaction with one snapshot. The URL never appears in a message.

    The transaction begins with READ ONLY and the first statement is ours: from then on the server lets no statement
    make it writable (https://www.postgresql.org/docs/current/sql-set-transaction.html).
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise SourceError("the PostgreSQL URL cannot be read: expected postgresql://user@host/database") from error
    if parsed.get_backend_name() not in {"postgres", "postgresql"}:
        raise SourceError(f"expected a postgresql:// URL, not {parsed.get_backend_name()}://")
    engine = sa.create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        connect_args={
            "options": " ".join(f"-c {name}={value}" for name, value in _OPTIONS.items()),
            "connect_timeout": 10,
        },
        execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
        poolclass=StaticPool,
    )
    return PostgresEngine(engine, connect(engine, f"PostgreSQL at {parsed.host or 'the local socket'}", "SELECT 1"))


def _words(message: str) -> str:
    """The server's message in one line, without the word for its severity."""
    return excerpt_of((message.strip().splitlines() or ["no message"])[0].removeprefix("ERROR:").strip())


_PLAIN = PGDialect(paramstyle="named")  # type: ignore[no-untyped-call]
"""Leaves the signs for per cent in a query as they are."""

_KINDS: Mapping[int, Kind] = {
    16: "flag",
    17: "bytes",
    20: "number",
    21: "number",
    23: "number",
    1700: "number",
    700: "float",
    701: "float",
    1082: "date",
    1114: "naive",
    1184: "time",
    114: "text",  # json keeps what jsonb refuses (\u0000), so each cell is tested like text
    3802: "json",
    25: "text",
    1043: "text",
    1042: "text",
    2950: "text",
}
"""Type ids of PostgreSQL's catalogue (pg_type.dat)."""
