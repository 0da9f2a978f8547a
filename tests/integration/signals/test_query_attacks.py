"""A ``query:`` reads the source and does nothing else, however it is written: the database itself refuses the rest."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb
import psycopg
import pytest
import sqlalchemy as sa
import yaml

from tests.integration.signals.signals_kit import Database, Tables, at, product_of
from worker.pipeline.measure import measure
from worker.reports.check import check_project
from worker.settings.project import load_project
from worker.settings.shipped import write_project
from worker.signals.errors import SourceError
from worker.signals.postgres import open_postgres
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")
ROWS: Tables = {
    "accounts": [{"account_id": "a"}],
    "events": [{"account_id": "a", "user_id": "u", "name": "Used", "occurred_at": at("2026-03-09")}],
}
OUT_OF_A_TEXT = "SELECT $$ ' $$ AS user_id) s; {}; SELECT * FROM (SELECT $$ ' $$ AS user_id"
"""Looks like one text in quotes to whoever does not know quotes of dollars."""
ALL_ENGINES = [
    "SELECT 'u' AS user_id; DELETE FROM events",
    "SELECT 'u' AS user_id; SELECT 'v' AS user_id",
    "SELECT 'u' AS user_id) x; DELETE FROM events; SELECT * FROM (SELECT 'u' AS user_id",
    "SELECT 'u' AS user_id) x, (SELECT 'v' AS user_id",
    "SELECT 'u' AS user_id) x --",
    "SELECT 'u' AS user_id UNION",
    "SELECT 'u' AS user_id /* and",
    "WITH x AS (DELETE FROM events RETURNING *) SELECT 'u' AS user_id FROM x",
    "WITH x AS (SELECT 1) DELETE FROM events RETURNING user_id",
    "WITH x AS (SELECT 1) INSERT INTO events (user_id) VALUES ('v') RETURNING user_id",
    "WITH x AS (SELECT 1) UPDATE events SET user_id = 'v' RETURNING user_id",
    "SELECT * FROM (DELETE FROM events RETURNING user_id) x",
    "SELECT user_id INTO stolen FROM events",
    "SELECT user_id FROM events WHERE name = $1",
    OUT_OF_A_TEXT.format("DELETE FROM events"),
    OUT_OF_A_TEXT.format("COMMIT; BEGIN; DELETE FROM events; COMMIT"),
]
OF_DUCKDB = [
    "SELECT user_id FROM events WHERE name = ?",
    "SELECT content AS user_id FROM read_text('SECRET')",
    "SELECT content AS user_id FROM read_blob('SECRET')",
    "SELECT content AS user_id FROM read_text('FOLDER/key.txt')",
    "SELECT content AS user_id FROM read_text('FOLDER/../secret.csv')",
    "SELECT user_id FROM 'FOLDER/../secret.csv'",
    "SELECT user_id FROM 'FOLDER/link.csv'",
    "SELECT user_id FROM read_csv('FOLDER/out/secret.csv')",
    "SELECT user_id FROM read_csv('SECRET')",
    "SELECT file AS user_id FROM glob('FOLDER/../*')",
    "SELECT user_id FROM read_parquet('https://127.0.0.1:9/secret.parquet')",
    "SELECT content AS user_id FROM read_text('/proc/self/environ')",
    "SELECT getenv('HOME') AS user_id",
    "SELECT * FROM query('ATTACH ''SECRET''')",
    "SELECT user_id FROM rows_of_this_process",
    OUT_OF_A_TEXT.format("COPY (SELECT 1) TO 'FOLDER/copy.csv'"),
    OUT_OF_A_TEXT.format("EXPORT DATABASE 'FOLDER/export'"),
    OUT_OF_A_TEXT.format("ATTACH 'FOLDER/new.duckdb'"),
    OUT_OF_A_TEXT.format("INSTALL httpfs"),
    OUT_OF_A_TEXT.format("LOAD httpfs"),
    OUT_OF_A_TEXT.format("SET memory_limit = '1TB'"),
    OUT_OF_A_TEXT.format("PRAGMA enable_profiling"),
    OUT_OF_A_TEXT.format("CREATE TABLE x AS SELECT 1"),
]
OF_SQLITE = [
    "SELECT user_id FROM events WHERE name = ?",
    "SELECT user_id FROM events WHERE name = :name",
    "SELECT load_extension('SECRET') AS user_id",
    "SELECT hex(fts3_tokenizer('simple')) AS user_id",
    "SELECT name AS user_id FROM pragma_table_info('events')",
    "SELECT 'u' AS user_id; ATTACH 'FOLDER/new.sqlite' AS x",
    "SELECT 'u' AS user_id; PRAGMA writable_schema = 1",
    "SELECT 'u' AS user_id; VACUUM INTO 'FOLDER/copy.sqlite'",
    "WITH x AS (SELECT 1) UPDATE sqlite_master SET sql = 'x' RETURNING name AS user_id",
]
OF_POSTGRES = [
    "SELECT user_id FROM events FOR UPDATE",
    "SELECT user_id FROM events FOR KEY SHARE",
    "SELECT set_config('transaction_read_only', 'off', false) AS user_id",
    "SELECT set_config('default_transaction_read_only', 'off', false) AS user_id",
    "SELECT set_config('TimeZone', 'Asia/Kolkata', false) AS user_id",
    "SELECT pg_catalog.\"set_config\"('role', 'none', false) AS user_id",
    "SELECT U&\"set\\005fconfig\"('role', 'none', false) AS user_id",
    "SELECT nextval('numbers')::text AS user_id",
    "SELECT setval('numbers', 9)::text AS user_id",
    "SELECT pg_terminate_backend(pg_backend_pid())::text AS user_id",
    "SELECT pg_cancel_backend(pg_backend_pid())::text AS user_id",
    "SELECT pg_advisory_lock(1)::text AS user_id",
    "SELECT pg_try_advisory_xact_lock(1)::text AS user_id",
    "SELECT pg_read_file('SECRET') AS user_id",
    "SELECT user_id FROM events LIMIT length(pg_read_file('SECRET'))",
    "SELECT * FROM (VALUES ('u'), (pg_read_file('SECRET'))) x (user_id)",
    "SELECT pg_ls_dir('FOLDER') AS user_id",
    "SELECT (pg_stat_file('SECRET')).size::text AS user_id",
    "SELECT lo_export(lo_from_bytea(0, 'x'), 'FOLDER/object')::text AS user_id",
    "SELECT lo_import('SECRET')::text AS user_id",
    "SELECT lo_create(7)::text AS user_id",
    "SELECT pg_notify('x', 'y')::text AS user_id",
    "SELECT pg_sleep(0.01)::text AS user_id",
    "SELECT pg_reload_conf()::text AS user_id",
    "SELECT pg_switch_wal()::text AS user_id",
    "SELECT pg_export_snapshot() AS user_id",
    "SELECT pg_logical_emit_message(false, 'x', 'y')::text AS user_id",
    "SELECT (pg_create_physical_replication_slot('x', true)).slot_name::text AS user_id",
    "SELECT query_to_xml('SELECT pg_read_file(''SECRET'')', true, false, '')::text AS user_id",
    "SELECT word AS user_id FROM ts_stat('SELECT to_tsvector(pg_read_file(''SECRET''))')",
    "SELECT dblink('dbname=postgres', 'DELETE FROM events') AS user_id",
    "SELECT writes()::text AS user_id",
    "SELECT leaves()::text AS user_id",
    "SELECT commits()::text AS user_id",
    OUT_OF_A_TEXT.format("COMMIT; BEGIN READ WRITE; DELETE FROM events; COMMIT"),
    OUT_OF_A_TEXT.format("COPY events TO PROGRAM 'cat > FOLDER/copy.csv'"),
    OUT_OF_A_TEXT.format("COPY events TO 'FOLDER/copy.csv'"),
]
FUNCTIONS = """
CREATE SEQUENCE numbers;
CREATE FUNCTION writes() RETURNS INT LANGUAGE plpgsql AS $$ BEGIN DELETE FROM events; RETURN 1; END $$;
CREATE FUNCTION leaves() RETURNS INT LANGUAGE plpgsql AS
    $$ BEGIN SET transaction_read_only = off; DELETE FROM events; RETURN 1; END $$;
CREATE FUNCTION commits() RETURNS INT LANGUAGE plpgsql AS $$ BEGIN COMMIT; DELETE FROM events; RETURN 1; END $$;
"""
"""What an owner of the database might have made: volatile, as functions are unless their author says otherwise."""
ATTACKS = [
    (engine, query)
    for engine, own in {"duckdb": OF_DUCKDB, "folder": OF_DUCKDB, "sqlite": OF_SQLITE, "postgres": OF_POSTGRES}.items()
    for query in [*ALL_ENGINES, *own]
]
rows_of_this_process = {"user_id": ["u"]}
"""DuckDB can read variables of the process it runs in."""


class Target:
    """A source in ``data/``, with a key beside it, a secret above it, and links that lead there."""

    def __init__(self, engine: str, root: Path, url: str) -> None:
        self.engine, self.url, self.folder = engine, url, root / "data"
        self.folder.mkdir()
        self.secret = root / "secret.csv"
        self.secret.write_text("user_id\ntop secret\n", encoding="utf-8")
        (self.folder / "key.txt").write_text("top secret", encoding="utf-8")
        (self.folder / "link.csv").symlink_to(self.secret)
        (self.folder / "out").symlink_to(root)
        database = Database("duckdb" if engine == "folder" else engine, self.folder, url)
        database.fill(ROWS)
        self.source = {kind: f"data/{name}" for kind, name in database.source.items()}
        if engine == "folder":
            file = self.folder / "product.duckdb"
            with duckdb.connect(str(file)) as duck:
                for name in ROWS:
                    duck.execute(f"COPY {name} TO '{self.folder / name}.csv'")
            file.unlink()
            self.source = {"folder": "data"}
        if engine == "postgres":
            self.source = {"postgres": "file:data/url.txt"}
            with psycopg.connect(url, autocommit=True) as server:
                server.execute(FUNCTIONS)

    def written(self, query: str) -> str:
        """The query with the places of this target in it."""
        return query.replace("SECRET", str(self.secret)).replace("FOLDER", str(self.folder))

    def contents(self) -> object:
        """Everything a query could change: the files of the folder, the server's tables, sequences and objects."""
        files = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.folder.iterdir()
            if path.is_file() and not path.name.endswith("-journal")
        }
        if self.engine != "postgres":
            return files
        with psycopg.connect(self.url, autocommit=True) as server:
            counted = (
                "SELECT (SELECT count(*) FROM events), (SELECT last_value FROM numbers),"
                " (SELECT count(*) FROM pg_largeobject_metadata), (SELECT count(*) FROM pg_replication_slots),"
                " (SELECT count(*) FROM pg_class WHERE relkind = 'r'),"
                " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')"
            )
            return files, server.execute(counted).fetchone()


@pytest.fixture
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    return Target(
        request.param, tmp_path, request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    )


def targets(*engines: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("target", engines or ("duckdb", "folder", "sqlite", "postgres"), indirect=True)


@contextmanager
def unchanged(target: Target) -> Iterator[None]:
    before = target.contents()
    yield
    assert target.contents() == before


@targets()
def test_no_query_does_more_than_to_read_its_source(target: Target, tmp_path: Path) -> None:
    let_through, messages = [], []
    with unchanged(target):
        for engine, attack in ATTACKS:
            if engine == target.engine:
                product = product_of(target.source, ROWS, mapping={"users": {"query": target.written(attack)}})
                try:
                    with open_source(product, tmp_path) as source:
                        source.columns("users")  # most are refused before a row is read
                        source.report(AS_OF)
                    let_through.append(attack)
                except SourceError as error:
                    messages.append((error.loc, str(error)))
    assert let_through == []
    assert {loc for loc, _ in messages} == {("tables", "users", "query")}
    assert "top secret" not in str(messages)


@targets()
@pytest.mark.parametrize(
    "query",
    [
        "SELECT user_id FROM events",
        "WITH x AS (SELECT user_id FROM events) SELECT * FROM x -- ; DELETE",
        "SELECT user_id FROM events UNION SELECT 'v;%s :x' AS user_id;",
        "/* ; */ WITH RECURSIVE n (i) AS (SELECT 1 UNION SELECT 2 FROM n) SELECT user_id FROM events, n",
    ],
)
def test_a_query_that_reads_is_read(target: Target, tmp_path: Path, query: str) -> None:
    product = product_of(target.source, ROWS, mapping={"users": {"query": query}})
    with open_source(product, tmp_path) as source:
        assert source.columns("users") == {"user_id": source.columns("events")["user_id"]}
        assert source.report(AS_OF).tables[1].rows


@targets("sqlite")
def test_what_sqlite_reads_through_virtual_tables_is_read(target: Target, tmp_path: Path) -> None:
    with closing(sqlite3.connect(target.folder / "product.sqlite")) as file, file:
        file.execute("CREATE VIRTUAL TABLE words USING fts5(user_id)")
        file.execute("INSERT INTO words VALUES ('ann'), ('bob')")
    query = "SELECT user_id FROM words WHERE words MATCH 'ann' UNION SELECT value FROM json_each('[\"cee\"]')"
    product = product_of(target.source, ROWS, mapping={"users": {"query": query}})
    with open_source(product, tmp_path) as source:
        assert source.report(AS_OF).tables[1].rows == 2


@targets("duckdb")
def test_views_of_a_duckdb_file_read_the_files_beside_it(target: Target, tmp_path: Path) -> None:
    (target.folder / "users").mkdir()
    with duckdb.connect(str(target.folder / "product.duckdb")) as duck:
        for number in range(2):
            duck.execute(f"COPY (SELECT 'u{number}' AS user_id) TO '{target.folder}/users/{number}.parquet'")
        duck.execute(f"CREATE VIEW users AS SELECT * FROM read_parquet('{target.folder}/users/*.parquet')")
    with open_source(product_of(target.source, [*ROWS, "users"]), tmp_path) as source:
        assert source.report(AS_OF).tables[1].rows == 2


@targets("folder")
@pytest.mark.parametrize("table", ["link.csv", "out/secret.csv", "out"])
def test_no_table_is_a_link_out_of_the_folder(target: Target, tmp_path: Path, table: str) -> None:
    product = product_of(target.source, ROWS, mapping={"users": {"table": table}})
    with open_source(product, tmp_path) as source, pytest.raises(SourceError, match="leads out of"):
        source.columns("users")


@targets("postgres")
def test_no_statement_makes_the_transaction_writable(target: Target) -> None:
    engine = open_postgres(target.url)
    for change in ("SET transaction_read_only = off", "SET TRANSACTION READ WRITE", "SELECT leaves()"):
        engine.connection.execute(sa.text("SELECT 1"))
        with pytest.raises(psycopg.Error, match="must be set before any query"):
            engine.connection.connection.cursor().execute(change)
        engine.connection.rollback()
    engine.connection.connection.cursor().execute("SET default_transaction_read_only = off")
    engine.connection.connection.cursor().execute("NOTIFY us")
    engine.connection.rollback()
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        engine.connection.connection.cursor().execute("SELECT writes()")
    engine.close()


@targets("postgres")
def test_check_warns_of_a_role_that_may_write(target: Target) -> None:
    roles = {"reader": "SELECT", "writer": "SELECT, INSERT"}
    found = {}
    with psycopg.connect(target.url, autocommit=True) as server:
        for role, rights in roles.items():
            name = f"{role}_of_{server.info.dbname}"
            server.execute(f"CREATE ROLE {name} LOGIN; GRANT {rights} ON ALL TABLES IN SCHEMA public TO {name}")
            engine = open_postgres(target.url.replace("postgres:@", f"{name}@"))
            found[role] = engine.warnings()
            engine.close()
            server.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")
    engine = open_postgres(target.url)
    (everything,) = engine.warnings()
    engine.close()
    assert "may do everything" in everything
    assert found["reader"] == []
    assert "may write to accounts" in found["writer"][0]


@targets("duckdb")
def test_check_and_a_run_name_file_line_and_column_of_the_query(target: Target, tmp_path: Path) -> None:
    write_project(tmp_path)
    (tmp_path / "config" / "crm.yaml").write_text("version: 1\nqueues: {}\n", encoding="utf-8")
    for playbook in (tmp_path / "playbooks").iterdir():
        playbook.unlink()
    mapped = {name: {"table": name} for name in ROWS} | {"users": {"query": "SELECT 1; DROP TABLE events"}}
    lines = yaml.safe_dump({"version": 1, "source": target.source, "tables": mapped}).splitlines()
    (tmp_path / "config" / "product.yaml").write_text("\n".join(lines), encoding="utf-8")
    (line,) = (number for number, text in enumerate(lines, 1) if "query:" in text)
    place = ("config/product.yaml", line, lines[line - 1].index("SELECT") + 1)
    said = "table users: a query must be one SELECT; this is SELECT, DROP"
    errors = [problem for problem in check_project(tmp_path, offline=False).problems if problem.severity == "error"]
    assert [(one.file, one.line, one.column, one.message) for one in errors] == [(*place, said)]
    with pytest.raises(SourceError) as refused:
        measure(load_project(tmp_path), AS_OF, None, None)
    assert str(refused.value) == f"{place[0]}:{place[1]}:{place[2]}  {said}"
