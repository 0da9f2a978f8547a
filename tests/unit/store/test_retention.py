"""What is old goes; what keeps a task or a record from being made twice, or may still reach a CRM, stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Connection, Engine, Table, insert, select, update

from worker.delivery.backlog import drop_rows
from worker.delivery.outbox import NewFields, NewTask, queue_fields, queue_tasks, withdraw_tasks
from worker.settings.schedule import Retention
from worker.store import retention as module
from worker.store.engine import database_moment, database_time
from worker.store.retention import PLAYBOOK_RUNS_KEPT, ROWS_AT_ONCE, prune
from worker.store.state import last_as_of, load_playbook_counts, recent_sizes
from worker.store.tables import (
    alert_messages,
    alerts,
    call_counts,
    crm_tasks,
    decisions,
    enrollments,
    ledger,
    metadata,
    outbox,
    playbook_runs,
    refused_reports,
    runs,
    score_values,
    source_volumes,
)

DAY_S = 86_400.0
_OF_RUNS = (playbook_runs, source_volumes, refused_reports, runs)
PRUNED = {table.name for table in (ledger, outbox, decisions, score_values, *_OF_RUNS)}
PRUNED |= {table.name for table in (call_counts, alert_messages, alerts)}


def add(connection: Connection, table: Table, **values: Any) -> None:
    """A row with these values; the other columns that must have one get an empty one."""
    row: dict[str, Any] = {}
    for column in table.columns:
        if not column.nullable and column.server_default is None and column.name != "id":
            row[column.name] = {"JSON": {}, "DOUBLE": 0.0, "BIGINT": 0, "INTEGER": 0, "BOOLEAN": False}.get(
                str(column.type), ""
            )
    connection.execute(insert(table).values(row | values))


def effect(connection: Connection, days: float, **values: Any) -> None:
    add(connection, ledger, at=database_time(connection) - days * DAY_S, **values)


def queued(connection: Connection, kind: str, key: str, state: str = "done", days: float = 31, **values: Any) -> None:
    due_at = database_time(connection) - days * DAY_S
    add(
        connection,
        outbox,
        kind=kind,
        destination="crm",
        idem_key=f"{kind}:crm:{key}",
        state=state,
        due_at=due_at,
        **values,
    )


def made(connection: Connection, key: str, status: str = "open") -> None:
    add(connection, crm_tasks, destination="crm", key=key, status=status)


def ran(connection: Connection, days: int = 0) -> None:
    """A run that was committed so many days ago."""
    at = database_time(connection) - days * DAY_S
    add(
        connection,
        runs,
        id=f"{days} days ago",
        as_of=f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}",
        committed_at=at,
    )


def left(store: Engine, column: Any) -> set[Any]:
    with store.begin() as connection:
        return set(connection.execute(select(column)).scalars())


def test_every_table_loses_what_is_older_than_its_own_time(store: Engine) -> None:
    with store.begin() as connection:
        now = database_time(connection)
        ran(connection)
        for name, days in (("old", 401), ("kept", 399)):
            effect(connection, days, idem_key=name)
            add(connection, runs, id=name, as_of=f"{1000 - days}", committed_at=now - days * DAY_S)
            add(connection, decisions, run_id=name)
        for day in ("2020-01-01", "2999-01-01"):
            add(connection, score_values, account_id="a", day=day, name="health.score")
            add(connection, source_volumes, as_of=day)
            add(connection, refused_reports, as_of=day)
        for days in (41, 39):
            add(connection, call_counts, destination=str(days), quarter=int((now - days * DAY_S) // 900))
        for number, (state, ended) in enumerate([("sent", 91), ("sent", 89), ("pending", 91), ("sent", None)], 1):
            at = None if ended is None else now - ended * DAY_S
            add(connection, alerts, id=number, recovered_at=at, open_key=None if ended else "open")
            add(connection, alert_messages, alert_id=number, state=state)
    assert prune(store, Retention()) == dict.fromkeys(PRUNED - {"outbox", "playbook_runs"}, 1)
    assert left(store, ledger.c.idem_key) == left(store, decisions.c.run_id) == {"kept"}
    assert left(store, runs.c.id) == {"kept", "0 days ago"}
    assert left(store, score_values.c.day) == left(store, source_volumes.c.as_of) == {"2999-01-01"}
    assert left(store, refused_reports.c.as_of) == {"2999-01-01"}
    assert left(store, call_counts.c.destination) == {"39"}
    assert left(store, alerts.c.id) == left(store, alert_messages.c.alert_id) == {2, 3, 4}


def test_a_run_stays_as_long_as_its_decisions(store: Engine) -> None:
    with store.begin() as connection:
        for days in (401, 399, 0):
            ran(connection, days)
            add(connection, decisions, run_id=f"{days} days ago")
    retention = Retention.model_validate({"runs": "30d"})
    for removed in ({"decisions": 1, "runs": 1}, {}):
        assert prune(store, retention) == removed
    assert left(store, decisions.c.run_id) == left(store, runs.c.id) == {"399 days ago", "0 days ago"}


def test_the_next_run_finds_everything_that_it_reads_however_old(store: Engine) -> None:
    with store.begin() as connection:
        now = database_time(connection)
        add(connection, runs, id="r", as_of="2020-01-01T00:00:00Z", committed_at=now)
        add(connection, source_volumes, as_of="2020-01-01T00:00:00Z", accounts=7, events=9)
        for number in range(PLAYBOOK_RUNS_KEPT + 5):
            add(connection, playbook_runs, playbook_id="p", as_of=f"2020-01-01T{number:02}", counts={"n": number})
    prune(store, Retention())
    with store.begin() as connection:
        assert (last_as_of(connection), recent_sizes(connection)) == ("2020-01-01T00:00:00Z", [7])
        counts = load_playbook_counts(connection, "p", "2026")
        assert [one["n"] for one in counts] == list(range(5, PLAYBOOK_RUNS_KEPT + 5))
    assert len(left(store, playbook_runs.c.as_of)) == PLAYBOOK_RUNS_KEPT


def test_a_row_of_the_outbox_goes_once_nothing_depends_on_it(store: Engine) -> None:
    entered_again: dict[str, Any] = {"playbook_id": "p", "account_id": "again"}
    with store.begin() as connection:
        ran(connection)
        for key, status in (("made", "open"), ("closed", "completed"), ("gone", "deleted"), ("reopened", "open")):
            made(connection, key, status)
        add(connection, enrollments, **entered_again, state={"entry": 3})
        queued(connection, "fields", "written")
        queued(connection, "task_create", "made")
        queued(connection, "task_create", "of an earlier entry", "dropped", context={"entry": 2}, **entered_again)
        queued(connection, "task_update", "changed")
        queued(connection, "task_close", "closed")
        queued(connection, "task_close", "gone")
        kept = {
            ("fields", "new", "done", 29.0),
            ("fields", "in doubt", "done", 31.0),
            ("fields", "dropped by a person", "dropped", 31.0),
            ("record_create", "one", "done", 999.0),
            ("record_create", "two", "dropped", 999.0),
            ("task_create", "never seen in the CRM", "done", 31.0),
            ("task_create", "of no entry", "dropped", 31.0),
            ("task_create", "of this entry", "dropped", 31.0),
            ("task_close", "reopened", "done", 31.0),
            *(("task_create", state, state, 999.0) for state in ("pending", "leased", "parked", "dead")),
        }
        for kind, key, state, days in kept:
            values: dict[str, Any] = {"attempted": {"values": {}}} if key == "in doubt" else {}
            values |= {"context": {"entry": 3}, **entered_again} if key == "of this entry" else {}
            queued(connection, kind, key, state, days, **values)
    assert prune(store, Retention()) == {"outbox": 6}
    assert left(store, outbox.c.idem_key) == {f"{kind}:crm:{key}" for kind, key, _, _ in kept}


@pytest.mark.parametrize("ends", ["withdrawn", "dropped", "not needed any more"])
def test_the_time_of_a_row_that_is_not_sent_counts_from_its_end(store: Engine, ends: str) -> None:
    with store.begin() as connection:
        ran(connection)
        add(connection, enrollments, playbook_id="p", account_id="a", state={"entry": 3})
        row: dict[str, Any] = {"playbook_id": "p", "account_id": "a", "context": {"entry": 2}, "record_id": "R"}
        kind, key = ("fields", "R") if ends == "not needed any more" else ("task_create", "k")
        queued(connection, kind, key, "parked", **row)
        if ends == "withdrawn":
            withdraw_tasks(connection, lambda *_: "the account left")
        elif ends == "dropped":
            drop_rows(connection, [1])
        else:
            queue_fields(connection, [NewFields("crm", "a", "R", "companies", {})], "r1")
    assert left(store, outbox.c.state) <= {"done", "dropped"}
    assert prune(store, Retention()) == {}
    with store.begin() as connection:
        connection.execute(update(outbox).values(due_at=outbox.c.due_at - 31 * DAY_S))
    assert prune(store, Retention()) == {"outbox": 1}


def test_a_task_whose_row_is_gone_is_not_queued_again(store: Engine) -> None:
    words: dict[str, Any] = {
        "kind": "task_create",
        "key": "k",
        "account_id": "a",
        "record_id": "R1",
        "playbook_id": "p",
    }
    task = NewTask(destination="crm", payload={}, rank=0.0, **words)
    other = NewTask(destination="other crm", payload={}, rank=0.0, **words)
    with store.begin() as connection:
        ran(connection)
        made(connection, "k")
        queued(connection, "task_create", "k")
    assert prune(store, Retention()) == {"outbox": 1}
    with store.begin() as connection:
        queue_tasks(connection, [task, other], "r1")
    assert left(store, outbox.c.destination) == {"other crm"}


def test_many_rows_go_in_many_transactions_until_it_is_told_to_end(store: Engine) -> None:
    with store.begin() as connection:
        ran(connection)
        rows = {"run_id": "", "destination": "", "kind": "", "idem_key": "", "account_id": "", "status": ""}
        connection.execute(insert(ledger), [rows | {"at": 1.0, "operation": {}}] * (2 * ROWS_AT_ONCE + 1))
    turns = iter([True, False])
    assert prune(store, Retention(), lambda: next(turns)) == {"ledger": 2 * ROWS_AT_ONCE}
    assert prune(store, Retention()) == {"ledger": 1}


def test_a_clock_that_is_years_ahead_removes_only_what_is_old_a_week_after_the_newest_run(
    store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.begin() as connection:
        ran(connection, days=1)
        for days in (395, 393):
            effect(connection, days, idem_key=f"{days} days ago")
        ahead = database_moment(connection) + timedelta(days=3650)
    monkeypatch.setattr(module, "database_moment", lambda _: ahead)
    assert prune(store, Retention()) == {"ledger": 1}
    assert left(store, ledger.c.idem_key) == {"393 days ago"}


def test_nothing_goes_while_no_run_shows_which_time_it_is(store: Engine) -> None:
    with store.begin() as connection:
        effect(connection, 999, idem_key="old")
    assert prune(store, Retention()) == {}


@pytest.mark.parametrize("text", ["6d", "24h", "5bd", "2 runs"])
def test_less_than_a_week_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="at least 7d"):
        Retention.model_validate({"ledger": text})


def test_every_table_is_bounded_or_needed() -> None:
    """A table that is new has to be pruned, or to be named here with the reason why it cannot grow for ever."""
    by_account = {"memberships", "score_memory", "crm_records", "snapshot", "crm_deals", "record_shares"}
    by_setting = {
        "playbook_texts",
        "cursors",
        "schedule_slots",
        "endings",
        "connector_journal",
        "call_windows",
        "quotas",
    }
    needed = {"crm_tasks", "account_sightings"}
    emptied_by_each_run = {"score_history"}
    assert set(metadata.tables) == PRUNED | by_account | by_setting | needed | emptied_by_each_run
