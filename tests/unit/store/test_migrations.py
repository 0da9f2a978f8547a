"""The schema that migrations make is the schema the code uses, and only a known one is worked on."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from multiprocessing import get_context

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, create_engine, inspect, make_url, select, text

from worker.store.crm import load_records
from worker.store.engine import StoreError, database_time, open_store, transact
from worker.store.tables import ledger, metadata, runs, snapshot


def test_migrations_make_exactly_the_tables_of_the_code(store: Engine) -> None:
    with store.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": False})
        assert compare_metadata(context, metadata) == []


def test_opening_again_keeps_what_is_there(store: Engine) -> None:
    with store.begin() as connection:
        connection.execute(runs.insert().values(id="r1", as_of="2026-07-01", config_version="c", committed_at=1.0))
    again = open_store(store.url.render_as_string(hide_password=False))
    with again.begin() as connection:
        assert connection.execute(select(runs.c.id)).scalars().all() == ["r1"]
    again.dispose()


def test_a_schema_of_a_newer_version_is_refused(store: Engine) -> None:
    with store.begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(StoreError, match="newer plgsync"):
        open_store(store.url.render_as_string(hide_password=False))


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


_WITHOUT_0003 = (
    *(f"drop table {name}" for name in ("crm_calls", "crm_quota", "endings", "alerts", "alert_messages")),
    *(f"drop index ix_ledger_{column}" for column in ("record_id", "crm_id", "idem_key", "at")),
    *(f"alter table ledger drop column {column}" for column in ("reasons", "crm_id")),
)


def _at_second_tables(engine: Engine) -> None:
    """Take the schema back to what revision 0002 made."""
    with engine.begin() as connection:
        for statement in (*_WITHOUT_0003, "update alembic_version set version_num = '0002'"):
            connection.execute(text(statement))


def _at_first_tables(engine: Engine) -> None:
    """Take the schema back to what the first release made."""
    with engine.begin() as connection:
        for statement in (
            *_WITHOUT_0003,
            "drop table connector_journal",
            "alter table crm_records drop column object",
            "alter table snapshot drop column written",
            "update alembic_version set version_num = '0001'",
        ):
            connection.execute(text(statement))


def _say(connection: Connection, statement: str, **values: object) -> None:
    connection.execute(text(statement), values)


def test_what_the_first_release_stored_is_kept_and_what_it_wrote_counts_as_ours(store: Engine) -> None:
    _at_first_tables(store)
    effect = (
        "insert into ledger (at, run_id, destination, kind, idem_key, account_id, record_id, operation, status)"
        " values (1, 'r1', 'crm', :kind, 'key', 'a', :record, :operation, :status)"
    )
    with store.begin() as connection:
        _say(connection, """insert into snapshot values ('crm', 'R1', '{"health": 99, "band": "green"}')""")
        _say(connection, """insert into snapshot values ('crm', 'R2', '{"health": 50}')""")
        _say(connection, "insert into crm_records values ('crm', 'a', 'matched', 'R1', 'key', '[]', null, '{}')")
        for kind, record, operation, status in (
            ("fields", "R1", '{"object": "companies", "values": {"health": 40, "band": "red"}}', "applied"),
            ("fields", "R1", '{"object": "companies", "values": {"health": 41, "note": null}}', "applied"),
            ("fields", "R1", '{"object": "companies", "values": {"health": 42}}', "rejected"),
            ("fields", "gone", '{"object": "companies", "values": {"health": 1}}', "applied"),
            ("task_create", "R1", '{"subject": "Call"}', "applied"),
        ):
            _say(connection, effect, kind=kind, record=record, operation=operation, status=status)
    again = open_store(store.url.render_as_string(hide_password=False))
    with again.begin() as connection:
        kept = {row.record_id: (row.acked, row.written) for row in connection.execute(select(snapshot))}
        assert kept == {
            "R1": ({"health": 99, "band": "green"}, {"health": 41, "band": "red", "note": None}),
            "R2": ({"health": 50}, {}),
        }
        (record,) = load_records(connection, "crm").values()
        assert (record.record_id, record.object) == ("R1", "")
    again.dispose()
    test_migrations_make_exactly_the_tables_of_the_code(store)


_EFFECT = (
    "insert into ledger (at, run_id, destination, kind, idem_key, account_id, record_id, playbook_id, operation,"
    " status) values (1, :run, 'crm', :kind, :key, 'a', :record, :playbook, :operation, :status)"
)


def _old_effects(connection: Connection) -> None:
    """What 0002 kept of four writes of fields and two tasks."""
    fields = {"kind": "fields", "key": "fields:crm:R1", "playbook": "", "run": "r1", "status": "applied"}
    for values in ({"health": 40}, {"health": 41, "note": None}):
        operation = json.dumps({"object": "companies", "values": values})
        _say(connection, _EFFECT, **{**fields, "record": "R1", "operation": operation})
    operation = json.dumps({"object": "companies", "values": {"health": 42}})
    _say(connection, _EFFECT, **{**fields, "record": "R1", "operation": operation, "status": "rejected"})
    _say(connection, _EFFECT, **{**fields, "record": "R2", "operation": operation})
    task = {"kind": "task_create", "record": "R1", "operation": "{}", "status": "applied"}
    _say(connection, _EFFECT, **task, key="task_create:crm:k1", playbook="pql", run="r1")
    _say(connection, _EFFECT, **task, key="task_create:crm:k2", playbook="pql", run="r0")
    _say(
        connection,
        "insert into decisions (run_id, playbook_id, account_id, event, because)"
        " values ('r1', 'pql', 'a', 'entered', 'pql.score >= 70')",
    )
    _say(connection, "insert into crm_tasks values ('crm', 'k1', 'T1', 'a', 'pql', 't', 1, 'open', null, null, true)")


def test_effects_of_before_keep_what_is_known_of_their_reasons(store: Engine) -> None:
    _at_second_tables(store)
    with store.begin() as connection:
        _old_effects(connection)
    again = open_store(store.url.render_as_string(hide_password=False))
    with again.begin() as connection:
        kept = connection.execute(select(ledger.c.reasons, ledger.c.crm_id).order_by(ledger.c.id)).all()
    assert [tuple(row) for row in kept] == [
        ({"fields": {"health": {}}}, None),
        ({"fields": {"health": {"old": 40}, "note": {}}}, None),
        ({"fields": {"health": {"old": 41}}}, None),
        ({"fields": {"health": {}}}, None),
        ({"because": "pql.score >= 70"}, "T1"),
        ({}, None),
    ]
    again.dispose()
    test_migrations_make_exactly_the_tables_of_the_code(store)


def test_a_worker_of_one_version_earlier_goes_on_writing_its_ledger(store: Engine) -> None:
    with store.begin() as connection:
        _old_effects(connection)
        assert connection.execute(select(ledger.c.reasons)).scalars().all() == [{}] * 6
