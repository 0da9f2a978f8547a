"""Several sources in one project read as one, and leave nothing behind."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from tests.integration.signals.signals_kit import TYPES, Database, Tables, at, product_of, signals_of
from worker.reports.check import check_project
from worker.settings.product import ProductSettings
from worker.settings.shipped import write_project
from worker.signals.compute import compute
from worker.signals.errors import SourceError
from worker.signals.source import open_source
from worker.signals.spill import SpillFolder

AS_OF = at("2026-03-10T06:00")
USED = {"user_id": "u", "name": "Used", "occurred_at": at("2026-03-09")}
TABLES: Tables = {
    "accounts": [{"account_id": "a"}, {"account_id": "b"}],
    "events": [{"account_id": "a", **USED}],
    "users": [{"user_id": "u", "email": "u@x.org"}],
    "tickets": [{"account_id": "a", "opened_at": at("2026-03-01"), "severity": "urgent"}],
}
SIGNALS = signals_of("signals: {n: {label: x, from: events, measure: count}}")
TYPED: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "sqlite": (
        "a, b, c, d, e, f",
        [
            (7, 1767355200, 12, 1, "x", 1),
            (8.0, 1767355200000.0, 12.5, 0, 17.0, 0.1 + 0.2),
            ("9", "2026-01-02 12:00", "12", "yes", 1e22, None),
            ("1e5", 20260102, 1e22, None, None, 1e22),
            (12345678901234567890.0, 0.5, float("inf"), "no", "\u00a0y ", 7.0),
        ],
    ),
    "postgres": (
        "a numeric, b timestamptz, c double precision, d boolean, e date, f numeric",
        [
            ("7", "2026-01-02 12:00+03", "12.5", "t", "2026-01-02", "8.00"),
            ("8.00", "infinity", "NaN", "f", "infinity", "NaN"),
            ("12345678901234567890", "0044-03-15 12:00+00 BC", "-Infinity", None, None, "1e400"),
            ("9", None, "1e22", None, "0044-03-15 BC", None),
            ("10", "2026-01-02 12:00:00.123456+00", "7", None, "1985-01-01", "0.1"),
        ],
    ),
}


@pytest.fixture
def several(tmp_path: Path, postgres_url: str) -> Database:
    made = Database("several", tmp_path, postgres_url)
    made.fill(TABLES)
    return made


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder for temporary files."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def fill_typed(engine: str, several: Database, columns: str, rows: Sequence[tuple[Any, ...]]) -> None:
    marks = ", ".join("?" if engine == "sqlite" else "%s" for _ in rows[0])
    if engine == "sqlite":
        with closing(sqlite3.connect(several.folder / "product.sqlite")) as file, file:
            file.execute(f"CREATE TABLE typed ({columns})")
            file.executemany(f"INSERT INTO typed VALUES ({marks})", rows)
        return
    with psycopg.connect(several.url, autocommit=True) as server:
        server.execute("ALTER DATABASE " + server.info.dbname + " SET datestyle = 'German'")
        server.execute(f"CREATE TABLE typed ({columns})")
        server.cursor().executemany(f"INSERT INTO typed VALUES ({marks})", rows)


@pytest.mark.parametrize("engine", TYPED)
def test_cells_of_every_type_read_the_same_when_they_are_copied(several: Database, engine: str) -> None:
    fill_typed(engine, several, *TYPED[engine])
    names = {"account_id": "a", "created_at": "b", "employees": "c", "is_internal": "d", "name": "e"}
    extra = {"number": "f"} | ({} if engine == "sqlite" else {"whole": "a", "since": "b", "flag": "d", "day": "e"})
    accounts = {"table": "typed", "columns": names, "extra": extra}
    events = {"query": "SELECT 'x' AS account_id, 'Used' AS name, '2026-03-09' AS occurred_at"}
    found = []
    for source, placed in ((several.parts[engine].source, {}), (several.source, {"source": engine})):
        product = product_of(source, [], mapping={"accounts": accounts | placed, "events": events | placed})
        with open_source(product, several.folder, AS_OF) as opened:
            rows = compute(opened, product, SIGNALS, [], AS_OF)
            report = opened.report(AS_OF)
        cells = {(account, name): value for account, row in rows.items() for name, value in row.items()}
        found.append(cells | {("report", one.name): replace(one, example=None) for one in report.tables[0].columns})
    own, copied = found
    assert {key: (value, copied.get(key)) for key, value in own.items() if copied.get(key) != value} == {}
    assert copied.keys() == own.keys()
    assert len({account for account, _ in own}) >= 4


def test_only_mapped_columns_are_copied(several: Database) -> None:
    product = product_of(
        several.source, TABLES, mapping={"accounts": {"table": "accounts", "extra": {"way": "channel"}}}
    )
    with open_source(product, several.folder) as source:
        source.columns("events")
        source.columns("accounts")
        engine: Any = source.engine
        copied = [row[0] for row in engine.connection.execute("DESCRIBE accounts").fetchall()]
        kinds = engine.connection.execute(
            "SELECT table_type FROM information_schema.tables WHERE table_name = 'tickets'"
        )
        assert kinds.fetchall() == []
        source.columns("tickets")
        kinds = engine.connection.execute(
            "SELECT table_type FROM information_schema.tables WHERE table_name = 'tickets'"
        )
        assert kinds.fetchall() == [("VIEW",)]
    assert {name.partition(" ")[2] for name in copied} == {*TYPES["accounts"], "extra.way"} - {"channel"}


@pytest.mark.parametrize("kind", ["csv", "duckdb"])
def test_names_of_sources_and_columns_may_differ_by_case_only(several: Database, kind: str) -> None:
    one = several.parts[kind].source
    query = "SELECT 'a' AS account_id, 'Used' AS name, '2026-03-09' AS occurred_at, 'x' AS one, 'y' AS two"
    events = {"query": query, "source": "sqlite", "columns": {"props.Way": "one", "props.way": "two"}}
    accounts = {"query": "SELECT 'a' AS account_id"}
    sources = {"csv": one, "App": one, "app": one, "sqlite": several.source["sqlite"]}
    users = {"query": "SELECT 'u' AS user_id", "source": "app"}
    mapping = {"accounts": accounts | {"source": "App"}, "users": users, "events": events}
    text = "signals: {%s: {label: x, from: events, measure: count, where: {props.%s: %s}}}"
    with open_source(product_of(sources, [], mapping=mapping), several.folder) as source:
        for signal in (text % ("n", "Way", "x"), text % ("n", "way", "y")):
            assert compute(source, source.catalogue.product, signals_of(signal), [], AS_OF)["a"]["n"] == 1


def test_a_table_that_another_source_has_is_not_there(several: Database) -> None:
    with duckdb.connect(str(several.folder / "other.duckdb")) as other:
        other.execute("CREATE TABLE tickets (account_id VARCHAR)")
    sources = {**several.source, "other": {"duckdb": "other.duckdb"}}
    product = product_of(sources, ["accounts", "events"], mapping={"tickets": {"table": "tickets", "source": "duckdb"}})
    with open_source(product, several.folder) as source, pytest.raises(SourceError, match=r"Found: users$"):
        source.columns("tickets")


def test_each_source_is_read_as_of_one_moment(several: Database) -> None:
    with closing(sqlite3.connect(several.folder / "product.sqlite")) as file:
        file.execute("PRAGMA journal_mode = WAL")
        product = product_of(
            several.source,
            TABLES,
            mapping={
                "surveys": {
                    "query": "SELECT account_id, '2026-03-01' AS responded_at FROM accounts",
                    "source": "sqlite",
                },
                "subscriptions": {"query": "SELECT account_id, 'pro' AS plan FROM events", "source": "postgres"},
            },
        )
        with open_source(product, several.folder) as source:
            source.columns("accounts")
            source.columns("events")
            with file:
                file.execute("INSERT INTO accounts (account_id) VALUES ('c')")
            with psycopg.connect(several.url, autocommit=True) as server:
                server.execute("INSERT INTO events (account_id) VALUES ('c')")
                report = source.report(AS_OF)
                waiting = server.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
                )
                assert waiting.fetchone() == (0,)
    assert {table.name: table.rows for table in report.tables if table.name in {"surveys", "subscriptions"}} == {
        "surveys": 2,
        "subscriptions": 1,
    }


@pytest.mark.parametrize(
    ("name", "broken", "said"),
    [
        ("duckdb", {"duckdb": "none.duckdb"}, "source duckdb: there is no DuckDB file at"),
        ("csv", {"folder": "none"}, "source csv: there is no folder at"),
        ("sqlite", {"sqlite": "url.txt"}, "source sqlite: cannot open the SQLite file"),
        ("duckdb", {"duckdb": "url.txt"}, "source duckdb: .*not a valid DuckDB database"),
        ("postgres", {"postgres": "env:PLGSYNC_TEST_NO_SUCH_VARIABLE"}, "source postgres: its URL is missing"),
        ("postgres", {"postgres": "file:unreachable"}, "source postgres: cannot open PostgreSQL at 127.0.0.1"),
    ],
)
def test_a_source_that_cannot_be_opened_is_named(
    several: Database, temporary: Path, name: str, broken: dict[str, str], said: str
) -> None:
    (several.folder / "unreachable").write_text("postgresql://me:s3cret@127.0.0.1:9/product")
    product = product_of({**several.source, name: broken}, TABLES)
    with pytest.raises(SourceError, match=said) as refused:
        open_source(product, several.folder)
    assert refused.value.loc == ("sources", name)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("place", "query"),
    [
        ("duckdb", "SELECT content AS user_id FROM read_text('KEY')"),
        ("csv", "SELECT content AS user_id FROM read_text('KEY')"),
        ("csv", "SELECT user_id FROM users"),
        ("csv", 'SELECT user_id FROM "source duckdb".users'),
        ("csv", "SELECT account_id AS user_id FROM main.accounts"),
        ("duckdb", "SELECT account_id AS user_id FROM memory.main.accounts"),
        ("duckdb", "SELECT 'u' AS user_id; DROP TABLE users"),
        ("sqlite", "WITH x AS (SELECT 1) DELETE FROM accounts RETURNING account_id AS user_id"),
        ("postgres", "SELECT pg_read_file('KEY') AS user_id"),
    ],
)
def test_a_query_reads_its_own_source_only(several: Database, place: str, query: str) -> None:
    query = query.replace("KEY", str(several.folder / "url.txt"))
    product = product_of(several.source, TABLES, mapping={"users": {"query": query, "source": place}})
    with open_source(product, several.folder) as source:
        source.columns("accounts")
        with pytest.raises(SourceError) as refused:
            source.columns("users")
    assert refused.value.loc == ("tables", "users", "query")


@pytest.mark.parametrize(
    ("place", "query"),
    [
        ("duckdb", "SELECT * FROM users WHERE email <> '' -- all"),
        ("csv", "SELECT account_id AS user_id, severity AS email FROM tickets"),
        ("sqlite", "SELECT account_id AS user_id FROM accounts"),
        ("postgres", "SELECT user_id, name AS email FROM events"),
    ],
)
def test_a_query_names_the_tables_of_its_source(several: Database, place: str, query: str) -> None:
    product = product_of(several.source, TABLES, mapping={"users": {"query": query, "source": place}})
    with open_source(product, several.folder) as source:
        (found,) = (table for table in source.report(AS_OF).tables if table.name == "users")
    assert found.rows == len(TABLES["accounts"]) if place == "sqlite" else 1


def test_check_places_what_is_wrong_with_one_of_several_sources(several: Database) -> None:
    write_project(several.folder)
    (several.folder / "config" / "crm.yaml").write_text("version: 1\nqueues: {}\n", encoding="utf-8")
    for playbook in (several.folder / "playbooks").iterdir():
        playbook.unlink()
    text = "version: 1\nsources:\n  app: {sqlite: product.sqlite}\n  files:\n    folder: none\ntables:\n"
    text += "  accounts: {source: app, table: accounts}\n  events: {source: files, table: events}\n"
    (several.folder / "config" / "product.yaml").write_text(text, encoding="utf-8")
    (found,) = (one for one in check_project(several.folder, offline=False).problems if one.severity == "error")
    assert (found.file, found.line) == ("config/product.yaml", 4)
    assert "source files: there is no folder at" in found.message


def test_nothing_temporary_remains(several: Database, temporary: Path) -> None:
    product: ProductSettings = product_of(several.source, TABLES)
    with open_source(product, several.folder) as source:
        source.report(AS_OF)
        assert len(list(temporary.iterdir())) == 1
    assert list(temporary.iterdir()) == []


def killed_and_living(temporary: Path) -> Iterator[subprocess.Popen[str]]:
    code = """
import sys, tempfile
tempfile.tempdir = sys.argv[1]
from worker.signals.spill import SpillFolder
folder = SpillFolder()
(folder.path / "data").write_text("x")
print(folder.path, flush=True)
sys.stdin.read()
"""
    for _ in range(2):
        yield subprocess.Popen(
            [sys.executable, "-c", code, str(temporary)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )


def test_what_a_killed_process_left_is_removed_by_the_next_and_what_a_living_one_uses_is_not(temporary: Path) -> None:
    killed, living = killed_and_living(temporary)
    left, used = (Path(process.stdout.readline().strip()) for process in (killed, living) if process.stdout)
    killed.kill()
    killed.wait()
    new = SpillFolder()
    assert left.exists()  # as new as one that its process has not locked yet
    new.close()
    for path in (left, used):
        os.utime(path, (0, 0))
    SpillFolder().close()
    assert sorted(temporary.iterdir()) == [used]
    living.communicate("")
