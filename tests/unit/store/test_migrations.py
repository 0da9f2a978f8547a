"""The schema that migrations make is the schema the code uses, and only a known one is worked on."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing import get_context

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, inspect, make_url, select, text

from worker.store.engine import MIGRATIONS, SCHEMA_REVISION, StoreError, database_time, open_store, transact
from worker.store.tables import metadata, runs


def test_migrations_make_exactly_the_tables_of_the_code(store: Engine) -> None:
    with store.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": False})
        assert compare_metadata(context, metadata) == []


def test_the_revision_of_the_code_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA_REVISION


def test_a_database_that_is_up_to_date_is_opened_without_alembic(sqlite_store: Engine) -> None:
    code = (
        "import sys; from worker.store import engine; url = sys.argv[1]; engine.read_store(url).dispose(); "
        "store = engine.open_store(url); engine.check_schema(store); print('alembic' in sys.modules)"
    )
    url = sqlite_store.url.render_as_string(hide_password=False)
    done = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, timeout=60)
    assert done.stdout == "False\n", done.stderr


def test_opening_again_keeps_what_is_there(store: Engine) -> None:
    with store.begin() as connection:
        connection.execute(runs.insert().values(id="r1", as_of="2026-07-01", config_version="c", committed_at=1.0))
    again = open_store(store.url.render_as_string(hide_password=False))
    with again.begin() as connection:
        assert connection.execute(select(runs.c.id)).scalars().all() == ["r1"]
    again.dispose()


def test_a_schema_of_a_newer_version_is_refused(sqlite_store: Engine) -> None:
    with sqlite_store.begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(StoreError, match="newer plgsync"):
        open_store(sqlite_store.url.render_as_string(hide_password=False))


def _open(url: str) -> None:
    open_store(url).dispose()


def test_many_processes_may_open_a_new_database_at_once(postgres_url: str, tmp_path: object) -> None:
    for url in (postgres_url, f"sqlite:///{tmp_path}/new.db"):
        workers = [get_context("spawn").Process(target=_open, args=(url,)) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
        assert [worker.exitcode for worker in workers] == [0, 0, 0, 0]
        engine = create_engine(make_url(url).set(drivername="postgresql+psycopg") if "postgres" in url else url)
        assert set(metadata.tables) <= set(inspect(engine).get_table_names())
        engine.dispose()


def test_an_unreachable_database_is_one_clear_message() -> None:
    with pytest.raises(StoreError, match="cannot be used"):
        open_store("postgresql://nobody@127.0.0.1:1/none")


def test_the_clock_is_the_databases(store: Engine) -> None:
    with store.begin() as connection:
        first = database_time(connection)
        second = database_time(connection)
    assert 1_700_000_000 < first <= second


@pytest.mark.parametrize("url", ["mysql://localhost/x", "redis://localhost"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(StoreError, match="must start with sqlite: or postgresql:"):
        open_store(url)


def test_a_transaction_that_gave_way_in_a_deadlock_is_done_again(postgres_url: str) -> None:
    engine = open_store(postgres_url)
    with engine.begin() as connection:
        for name in ("a", "b"):
            connection.execute(runs.insert().values(id=name, as_of="", config_version="", committed_at=0.0))
    both_hold_one = threading.Barrier(2, timeout=20)
    first_try = {"ab": True, "ba": True}

    def work(order: str) -> Callable[[Connection], None]:
        def count_up(connection: Connection) -> None:
            for number, name in enumerate(order):
                if number == 1 and first_try[order]:
                    first_try[order] = False
                    both_hold_one.wait()
                connection.execute(runs.update().where(runs.c.id == name).values(committed_at=runs.c.committed_at + 1))

        return count_up

    workers = [threading.Thread(target=transact, args=(engine, work(order))) for order in ("ab", "ba")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    with engine.begin() as connection:
        assert connection.execute(select(runs.c.committed_at)).scalars().all() == [2.0, 2.0]
    engine.dispose()
