"""From every revision there ever was, with data in it, the upgrade keeps what each row means."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Boolean, Connection, Engine, MetaData, Numeric, Table, insert, select
from sqlalchemy import types as sa_types

from worker.store.crm import load_records, load_tasks
from worker.store.engine import MIGRATIONS, connect_store, open_store, upgrade
from worker.store.sightings import load_sightings
from worker.store.state import save_history
from worker.store.tables import ledger, metadata, score_values, snapshot


@cache
def revisions() -> list[str]:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]


EARLIER = revisions()[:-1]
HEAD = revisions()[-1]
APPLIED = {"object": "companies", "values": {"health": 41, "note": None}}
TELLING: Mapping[str, list[dict[str, Any]]] = {
    "ledger": [
        {
            "kind": "fields",
            "destination": "crm",
            "record_id": "R1",
            "status": "applied",
            "operation": APPLIED | {"values": {"health": 40, "band": "red"}},
        },
        {"kind": "fields", "destination": "crm", "record_id": "R1", "status": "applied", "operation": APPLIED},
        {
            "kind": "fields",
            "destination": "crm",
            "record_id": "R1",
            "status": "rejected",
            "operation": APPLIED | {"values": {"health": 42}},
        },
        {"kind": "fields", "destination": "crm", "record_id": "gone", "status": "applied", "operation": APPLIED},
        {
            "kind": "task_create",
            "destination": "crm",
            "record_id": "R1",
            "status": "applied",
            "operation": {"subject": "Call"},
        },
    ],
    "snapshot": [
        {"destination": "crm", "record_id": "R1", "acked": {"health": 99, "band": "green"}},
        {"destination": "crm", "record_id": "R2", "acked": {"health": 50}},
    ],
    "outbox": [
        {"state": state, "attempted": attempted, "lease_token": token, "payload": APPLIED}
        for state, attempted, token in (
            ("pending", None, None),
            ("leased", APPLIED, "t"),
            ("done", None, None),
            ("parked", None, None),
            ("dead", APPLIED, None),
        )
    ],
    "schedule_slots": [
        {"schedule": "daily", "finished_slot": "2026-07-01T05:00:00Z", "lease_until": 9e9, "lease_token": "t"}
    ],
}
"""Rows whose content a migration looks at, by table; every other table is filled by the types of its columns."""
FILLED_FROM_ELSEWHERE = {("0001", "snapshot", "written")}
MOVED = {"score_history": "0007"}
"""Tables whose rows that revision moved elsewhere; tests of their own say what became of them."""


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    here = f"sqlite:///{tmp_path / 'state.db'}"
    return here if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


def at_revision(url: str, revision: str) -> tuple[Engine, MetaData]:
    """A database as that revision made it, and its tables as they are there."""
    engine = connect_store(url)
    upgrade(engine, revision)
    tables = MetaData()
    tables.reflect(engine)
    return engine, tables


def value_of(column: Any, row: int) -> Any:
    """Something of the column's type, another for each row, and odd enough to be spoilt by a careless migration."""
    kind = column.type
    if isinstance(kind, JSON) or "JSON" in type(kind).__name__:
        return {"n": row, "none": None, "nested": [1, {"ü": "„x“"}]}
    if isinstance(kind, Boolean):
        return bool(row % 2)
    if isinstance(kind, Numeric | sa_types.Float):
        return 1_790_000_000.25 + row
    if isinstance(kind, sa_types.Integer):
        return 1000 + row
    return f"{column.name} {row} – 'ü' %s :x"


def fill(connection: Connection, tables: MetaData) -> dict[str, list[dict[str, Any]]]:
    """Rows in every table; what was written, by table."""
    written = {}
    for table in tables.sorted_tables:
        if table.name == "alembic_version":
            continue
        told = TELLING.get(table.name, [{}, {}, {}])
        rows = [{c.name: value_of(c, n) for c in table.columns} | known for n, known in enumerate(told)]
        for row in rows:
            connection.execute(insert(table).values(row))
        written[table.name] = rows
    return written


def read(connection: Connection, table: Table) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(table)).mappings()]


def order(rows: list[dict[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    return sorted(({name: row[name] for name in names} for row in rows), key=repr)


@pytest.mark.parametrize("revision", EARLIER)
def test_every_row_of_an_earlier_revision_still_means_the_same(url: str, revision: str) -> None:
    engine, tables = at_revision(url, revision)
    with engine.begin() as connection:
        written = fill(connection, tables)
    engine.dispose()
    again = open_store(url)
    with again.begin() as connection:
        for name, rows in written.items():
            if revision < MOVED.get(name, ""):
                assert read(connection, metadata.tables[name]) == []
                continue
            here = metadata.tables[name]
            kept = [c for c in rows[0] if c in here.columns and (revision, name, c) not in FILLED_FROM_ELSEWHERE]
            assert set(rows[0]) - set(here.columns.keys()) == set(), f"{name} lost a column; say here what it became"
            assert order(read(connection, here), kept) == order(rows, kept), name
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": False})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == HEAD
    again.dispose()


def test_what_the_first_release_wrote_counts_as_ours(url: str) -> None:
    engine, tables = at_revision(url, "0001")
    with engine.begin() as connection:
        fill(connection, tables)
    engine.dispose()
    again = open_store(url)
    with again.begin() as connection:
        kept = {row.record_id: (row.acked, row.written) for row in connection.execute(select(snapshot))}
        destination = connection.execute(select(metadata.tables["crm_records"].c.destination)).scalars().first()
        assert [record.object for record in load_records(connection, str(destination)).values()] == [""]
    assert kept == {
        "R1": ({"health": 99, "band": "green"}, {"health": 41, "band": "red", "note": None}),
        "R2": ({"health": 50}, {}),
    }
    again.dispose()


def fields_effect(record: str, values: Mapping[str, Any], status: str = "applied") -> dict[str, Any]:
    operation = {"object": "companies", "values": values}
    return {"kind": "fields", "run_id": "r1", "record_id": record, "operation": operation, "status": status}


def task_effect(key: str, run_id: str) -> dict[str, Any]:
    effect = {"kind": "task_create", "idem_key": f"task_create:crm:{key}", "playbook_id": "pql", "run_id": run_id}
    return effect | {"record_id": "R1", "operation": {}, "status": "applied"}


EFFECTS = (
    fields_effect("R1", {"health": 40}),
    fields_effect("R1", {"health": 41, "note": None}),
    fields_effect("R1", {"health": 42}, "rejected"),
    fields_effect("R2", {"health": 42}),
    task_effect("k1", "r1"),
    task_effect("k2", "r0"),
)
"""As revision 0002 wrote them down: four writes of fields and two tasks."""


def write_down(connection: Connection, table: Table) -> None:
    known = {"at": 1.0, "destination": "crm", "idem_key": "fields:crm:R1", "account_id": "a", "playbook_id": ""}
    for effect in EFFECTS:
        connection.execute(insert(table).values(known | effect))


def test_effects_of_before_keep_what_is_known_of_their_reasons(url: str) -> None:
    engine, tables = at_revision(url, "0002")
    decision = {"run_id": "r1", "playbook_id": "pql", "account_id": "a", "event": "entered"}
    task = {"destination": "crm", "key": "k1", "task_id": "T1", "account_id": "a", "playbook_id": "pql"}
    with engine.begin() as connection:
        write_down(connection, tables.tables["ledger"])
        connection.execute(insert(tables.tables["decisions"]).values(decision | {"because": "pql.score >= 70"}))
        crm_tasks = tables.tables["crm_tasks"]
        connection.execute(insert(crm_tasks).values({c.name: value_of(c, 1) for c in crm_tasks.columns} | task))
    engine.dispose()
    again = open_store(url)
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


def test_a_worker_of_one_version_earlier_goes_on_writing_its_ledger(url: str) -> None:
    engine, tables = at_revision(url, "0002")
    upgrade(engine, HEAD)
    with engine.begin() as connection:
        write_down(connection, tables.tables["ledger"])
        assert connection.execute(select(ledger.c.reasons)).scalars().all() == [{}] * len(EFFECTS)
    engine.dispose()


def test_tasks_of_before_know_whether_we_closed_them_and_their_day(url: str) -> None:
    engine, tables = at_revision(url, "0007")
    made = {"destination": "crm", "account_id": "a", "operation": {}, "status": "applied", "run_id": "r"}
    with engine.begin() as connection:
        for n, key in enumerate(("closed", "lost", "done")):
            task = {c.name: value_of(c, n) for c in tables.tables["crm_tasks"].columns}
            own = {"destination": "crm", "key": key, "status": "completed", "completed_at": None}
            connection.execute(insert(tables.tables["crm_tasks"]).values(task | own))
            effect = made | {"kind": "task_create", "idem_key": f"task_create:crm:{key}", "at": 1_790_000_000.0}
            connection.execute(insert(tables.tables["ledger"]).values(effect))
        for key, status in (("closed", "applied"), ("lost", "unknown"), ("done", "rejected")):
            close = made | {"kind": "task_close", "idem_key": f"task_close:crm:{key}", "status": status, "at": 1.0}
            connection.execute(insert(tables.tables["ledger"]).values(close))
    engine.dispose()
    again = open_store(url)
    with again.begin() as connection:
        rows = {row.key: (row.work_status, row.day) for row in load_tasks(connection)}
    again.dispose()
    assert rows == {
        "closed": ("closed", "2026-09-21"),
        "lost": ("closed", "2026-09-21"),
        "done": ("completed", "2026-09-21"),
    }


def test_accounts_of_the_newest_day_are_known_since_their_first_day(url: str) -> None:
    engine, tables = at_revision(url, "0009")
    days = {"a": ("2026-06-01", "2026-07-01"), "b": ("2026-07-01",), "left": ("2026-05-01", "2026-06-01")}
    row = {"name": "health.score", "number": 1.0, "text": None, "config_version": "c"}
    with engine.begin() as connection:
        values = [row | {"account_id": a, "day": day} for a, of_account in days.items() for day in of_account]
        connection.execute(insert(tables.tables["score_values"]), values)
    engine.dispose()
    again = open_store(url)
    with again.begin() as connection:
        known = load_sightings(connection)
    again.dispose()
    assert {a: one.first_seen for a, one in known.items()} == {
        "a": "2026-06-01T23:59:59Z",
        "b": "2026-07-01T23:59:59Z",
    }
    assert {(one.name_hash, one.missing_since, one.gone) for one in known.values()} == {("", None, False)}


HISTORY = {
    "account_id": "a",
    "day": "2026-07-01",
    "health_score": 41.0,
    "health_band": "yellow",
    "health_status": "ok",
    "onboarding_score": None,
    "onboarding_status": "not_enough_data",
    "pql_score": 0.0,
    "pql_status": "none",
    "config_version": "c1",
}
"""The scores of a day as revision 0006 kept them."""


def history(connection: Connection) -> dict[tuple[str, str], tuple[Any, ...]]:
    rows = connection.execute(select(score_values)).mappings()
    return {(row["day"], row["name"]): (row["number"], row["text"], row["config_version"]) for row in rows}


KEPT_HISTORY = {
    ("2026-07-01", "health.score"): (41.0, None, "c1"),
    ("2026-07-01", "health.band"): (None, "yellow", "c1"),
    ("2026-07-01", "health.status"): (None, "ok", "c1"),
    ("2026-07-01", "onboarding.score"): (None, None, "c1"),
    ("2026-07-01", "onboarding.status"): (None, "not_enough_data", "c1"),
    ("2026-07-01", "pql.score"): (0.0, None, "c1"),
    ("2026-07-01", "pql.status"): (None, "none", "c1"),
}


def test_every_score_of_a_day_becomes_a_row_of_its_own(url: str) -> None:
    engine, tables = at_revision(url, "0006")
    with engine.begin() as connection:
        connection.execute(insert(tables.tables["score_history"]).values(HISTORY))
    engine.dispose()
    again = open_store(url)
    with again.begin() as connection:
        assert history(connection) == KEPT_HISTORY
    again.dispose()


def test_scores_that_a_worker_of_one_version_earlier_writes_are_kept_with_the_next_run(url: str) -> None:
    engine, tables = at_revision(url, "0006")
    upgrade(engine, HEAD)
    with engine.begin() as connection:
        save_history(connection, "2026-07-01", {"a": {"health.score": 99, "health.band": "green"}}, "c0")
    with engine.begin() as connection:
        connection.execute(insert(tables.tables["score_history"]).values(HISTORY))
    with engine.begin() as connection:
        save_history(connection, "2026-07-02", {"a": {"health.score": 55, "pql.status": None}}, "c2")
        assert history(connection) == KEPT_HISTORY | {
            ("2026-07-02", "health.score"): (55.0, None, "c2"),
            ("2026-07-02", "pql.status"): (None, None, "c2"),
        }
    engine.dispose()


def test_a_failed_upgrade_leaves_the_earlier_revision_whole(url: str) -> None:
    engine, tables = at_revision(url, EARLIER[0])
    with engine.begin() as connection:
        fill(connection, tables)
        connection.exec_driver_sql("create table connector_journal (something integer)")
        before = {table.name: read(connection, table) for table in tables.sorted_tables}
    with pytest.raises(Exception, match="connector_journal"):
        open_store(url)
    with engine.begin() as connection:
        assert {table.name: read(connection, table) for table in tables.sorted_tables} == before
        now = MetaData()
        now.reflect(connection)
        assert "written" not in now.tables["snapshot"].columns
    engine.dispose()
