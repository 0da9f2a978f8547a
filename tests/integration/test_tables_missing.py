"""Accounts, rows or a whole table are missing for one run and back: all is as if they had been there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Stage
from tests.integration.small_project import open_small, state_rows, write_settings, write_tables

AS_OF = datetime(2026, 6, 30, 6, tzinfo=UTC)
ACCOUNTS = [f"a{number:02}" for number in range(18)]
BUSY = ACCOUNTS[:7]
SIGNALS = """\
version: 1
event_lists: {use: [Report Created]}
signals:
  use_7d: {label: use, from: events, measure: count, events: use, window: 7d}
  people: {label: people, from: events, measure: users, window: 28d}
  mrr: {label: MRR, from: subscriptions, measure: sum, column: mrr}
"""
SCORES = """\
version: 1
health:
  smoothing: 1d
  profiles:
    - name: all
      parts:
        - {name: Use, weight: 1, metric: use_7d, bad: 0, good: 40}
        - {name: People, weight: 1, metric: people, bad: 0, good: 10}
"""
PLAYBOOK = """\
version: 1
id: busy
name: Busy
owner: ann@example.com
mode: live
when: {enters: use_7d >= 14}
leaves: use_7d < 14
repeat: {already_matching: include}
do:
  - set_fields: {busy: "busy with {{people}}"}
  - create_task: {key: call, to: account_owner, subject: Call, body: Now, due: 1d, close_when_leaves: true}
  - wait: 30d
  - create_task: {key: again, to: account_owner, subject: Call again, due: 1d, close_when_leaves: true}
"""
FIELDS = {
    "salesforce": {
        "score": {"field": "Health_Score__c", "from": "health.score", "type": "number"},
        "mrr": {"field": "Mrr__c", "from": "mrr", "type": "number"},
        "people": {"field": "People__c", "from": "people", "type": "number"},
        "busy": {"field": "Busy__c", "type": "string", "length": 40},
    },
    "hubspot": {
        "score": {"field": "plgsync_health_score", "from": "health.score", "type": "number"},
        "mrr": {"field": "plgsync_mrr", "from": "mrr", "type": "number"},
        "people": {"field": "plgsync_people", "from": "people", "type": "number"},
        "busy": {"field": "plgsync_busy", "type": "string", "length": 40},
    },
}
REFUSED = {
    ("accounts", 3): "events (38%) belong to no account",
    ("accounts", 1): "there are no accounts",
    ("events", 1): "there are no events at all",
    ("users", 1): "users has 0 rows, 54 are usual",
    ("subscriptions", 1): "subscriptions has 0 rows, 7 are usual",
    ("subscriptions", 0): 'table subscriptions: there is no table "subscriptions"',
}
"""By the table and which of its rows are missing (every third, every one, or the table is gone), why a run stops."""
EFFECTS = ("memberships", "outbox", "crm_tasks", "snapshot", "ledger", "decisions")
"""The enrollments, what is queued, sent and shown in the CRMs, and what was decided."""
JOBS = ("endings", "schedule_slots", "alerts", "alert_messages", "refused_reports")
"""What a run that stops leaves behind: that it stopped, and what it found in the data."""


def tables() -> dict[str, list[dict[str, Any]]]:
    """The product: the same use every day, by all people of the busy accounts and by one of each other."""
    days = [f"{AS_OF + timedelta(days=day):%Y-%m-%d} 04:00:00" for day in range(-40, 12)]
    users = [(account, f"{account}-u{number}") for account in ACCOUNTS for number in range(3)]
    return {
        "accounts": [
            {"account_id": one, "name": one, "domain": f"{one}.example", "created_at": "2025-11-03 09:00:00"}
            for one in ACCOUNTS
        ],
        "events": [
            {
                "account_id": account,
                "user_id": user,
                "name": "Report Created",
                "occurred_at": day,
            }
            for place, (account, user) in enumerate(users)
            for day in days
            if account in BUSY or place % 3 == 0
        ],
        "users": [{"user_id": user, "email": f"{user}@{account}.example"} for account, user in users],
        "subscriptions": [{"account_id": one, "plan": "pro", "mrr": 50, "term_start": "2026-01-01"} for one in BUSY],
    }


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A stage after its first run: tasks are open, accounts wait in the playbook, fields are filled."""
    settings = {"config/signals.yaml": SIGNALS, "config/scores.yaml": SCORES, "playbooks/busy.yaml": PLAYBOOK}
    write_settings(tmp_path, list(tables()), FIELDS, settings)
    with open_small(tmp_path, ACCOUNTS, list(FIELDS)) as stage:
        write_tables(tmp_path, tables())
        stage.plgsync("run", "--as-of", AS_OF.isoformat(), "--first-run")
        yield stage


def crms(stage: Stage) -> dict[str, Any]:
    """Everything that both CRMs hold, with the times of its last change."""
    return {crm: stage.objects(crm) for crm in stage.crms}


def effects(stage: Stage) -> dict[str, list[Any]]:
    rows = state_rows(stage.folder)
    return {table: rows[table] for table in EFFECTS}


def fields_of(crms: dict[str, Any]) -> dict[str, Any]:
    """What the record of each account holds, by CRM and account."""
    found = {f"salesforce {one['Name']}": one for one in crms["salesforce"]["Account"]}
    return found | {f"hubspot {one['properties']['name']}": one["properties"] for one in crms["hubspot"]["companies"]}


@contextmanager
def without(stage: Stage, table: str, every: int) -> Iterator[None]:
    """Every so manieth row of a table is missing, or with 0 all of it."""
    data = tables()
    lost = {table: [row for place, row in enumerate(data[table]) if place % every]} if every else {}
    write_tables(stage.folder, {name: rows for name, rows in data.items() if every or name != table}, lost)
    yield
    write_tables(stage.folder, data)


def run(stage: Stage, day: int, code: int = 0) -> Any:
    """A run of that day, ending with ``code``."""
    return stage.plgsync("run", "--as-of", (AS_OF + timedelta(days=day)).isoformat(), "--json", code=code)


def stops_by_check(stage: Stage, why: str) -> bool:
    """Whether ``plgsync check`` finds that a run would stop, for this reason."""
    found = [one["message"] for one in stage.plgsync("check", "--json", code=1)["problems"]]
    return any("a run would stop now: " in one and why in one for one in found)


def test_what_is_missing_for_a_run_leaves_everything_and_the_next_run_goes_on(stage: Stage) -> None:
    filled, acted = crms(stage), effects(stage)
    assert len(stage.results()["hubspot"]["tasks"]) == len(acted["memberships"]) == len(BUSY)

    with without(stage, "accounts", len(ACCOUNTS)):
        assert list(run(stage, 1)["missing"]) == ["a00"]
    assert (crms(stage), effects(stage)) == (filled, acted)

    for day, (what, said) in enumerate(REFUSED.items(), start=2):
        stored = state_rows(stage.folder)
        with without(stage, *what):
            refused = run(stage, day, 1)
            assert what != ("accounts", 3) or stops_by_check(stage, "accounts of the last run are missing")
        assert said in " ".join(refused.stderr.split()), what
        left = state_rows(stage.folder)
        assert {one: left[one] for one in stored if one not in JOBS} == {
            one: rows for one, rows in stored.items() if one not in JOBS
        }
        assert crms(stage) == filled
        back = run(stage, day)
        assert (back["missing"], crms(stage), effects(stage)) == ({}, filled, acted), what

    quiet = {"events": [row for row in tables()["events"] if row["account_id"] != "a00"]}
    write_tables(stage.folder, tables(), quiet)
    run(stage, 9)
    before, after = (fields_of(one) for one in (filled, crms(stage)))
    assert [name for name in before if before[name] != after[name]] == ["salesforce a00", "hubspot a00"]
    salesforce, hubspot = (stage.objects(crm) for crm in stage.crms)
    assert sum(task["IsClosed"] for task in salesforce["Task"]) == 1
    assert [task["properties"]["hs_task_status"] for task in hubspot["tasks"]].count("COMPLETED") == 1


def test_an_admin_lets_most_accounts_vanish_for_one_run(stage: Stage) -> None:
    write_tables(stage.folder, tables(), {"accounts": tables()["accounts"][::3]})
    assert stops_by_check(stage, "the last run saw")
    before = crms(stage)
    refused = run(stage, 1, 1).stderr
    assert "stale data:" in refused
    assert "the last run saw" in refused
    assert crms(stage) == before
    settings = stage.folder / "config" / "product.yaml"
    strict = settings.read_text(encoding="utf-8")
    settings.write_text(f"{strict}\ntrust: {{vanished: 100%, unjoined: 100%}}\n", encoding="utf-8")
    stage.plgsync("data", "accept")
    assert len(run(stage, 1)["missing"]) == len(ACCOUNTS) * 2 / 3
    write_tables(stage.folder, tables())
    settings.write_text(strict, encoding="utf-8")
    run(stage, 1)


def test_a_table_that_was_cut_off_stops_runs_until_it_is_whole_or_a_person_accepts_it(stage: Stage) -> None:
    before, users = crms(stage), tables()["users"]
    write_tables(stage.folder, tables(), {"users": users[:24]})
    stopped = run(stage, 1, 1)
    assert "users has 24 rows, 54 are usual" in stopped.stderr
    assert "run: plgsync data accept" in stopped.stderr
    assert stops_by_check(stage, "users has 24 rows")
    assert crms(stage) == before
    write_tables(stage.folder, tables())
    run(stage, 1)
    assert crms(stage) == before

    write_tables(stage.folder, tables(), {"users": users[:24]})
    run(stage, 2, 1)
    stage.plgsync("data", "accept")
    run(stage, 2)
    run(stage, 3)
    write_tables(stage.folder, tables(), {"users": users[:6]})
    assert "are usual" in run(stage, 3, 1).stderr


def test_a_person_decides_on_a_reused_id_by_a_command(stage: Stage) -> None:
    new = {"name": "Nova", "created_at": f"{AS_OF + timedelta(hours=3):%Y-%m-%d %H:%M:%S}"}
    first, *others = tables()["accounts"]
    write_tables(stage.folder, tables(), {"accounts": [first | new, *others]})
    assert list(run(stage, 1)["reused"]) == ["a00"]
    assert stage.plgsync("accounts", "keep", "nobody", code=2).stderr
    stage.plgsync("accounts", "keep", "a00")
    assert run(stage, 1)["reused"] == {}


def test_an_account_that_may_be_deleted_stays_as_it_is_and_is_named(stage: Stage) -> None:
    before = crms(stage)
    accounts = [
        one | {"deleted_at": "yesterday" if one["account_id"] == "a00" else None} for one in tables()["accounts"]
    ]
    quiet = [row for row in tables()["events"] if row["account_id"] != "a00"]  # its scores would change
    write_tables(stage.folder, tables() | {"accounts": accounts, "events": quiet})
    found = run(stage, 1)
    assert (found["undecided"], found["missing"]) == (["a00"], {})
    assert crms(stage) == before
    shown = stage.plgsync("plan", "--as-of", (AS_OF + timedelta(days=1)).isoformat()).stdout
    assert "account a00 may be deleted (its deleted_at is unknown)" in " ".join(shown.split())
