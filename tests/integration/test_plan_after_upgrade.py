"""After an upgrade that changes what numbers mean, the plan shows what moves; the next run writes that and no more."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from tests.integration import measured
from tests.integration.conftest import Stage
from tests.integration.small_project import (
    STATE,
    Tables,
    open_small,
    state_columns,
    state_rows,
    write_settings,
    write_tables,
)
from worker.pipeline.measure import measure
from worker.store.crm import TaskRow
from worker.store.engine import connect_store, upgrade

OLD_REVISION = "0007"
AS_OF = datetime(2026, 6, 30, 6, tzinfo=UTC)  # a Tuesday
SIGNALS = """\
version: 1
event_lists: {use: [Report Created]}
signals:
  use_7d: {label: use, from: events, measure: count, events: use, window: 7d}
  mrr: {label: MRR, from: subscriptions, measure: sum, column: mrr, when_none: 0}
  subscription.status: {label: status, from: subscriptions, measure: top, column: state, when_none: none}
  paying: {label: pays, from: subscriptions, measure: top, column: paying, when_none: false}
"""
SCORES = """\
version: 1
health:
  smoothing: 1d
  publish_step: 1
  bands: {red: 0, yellow: 30, green: 45, gap: 0, hold: 1 run}
  profiles: [{name: all, parts: [{name: Use, weight: 1, metric: use_7d, bad: 0, good: 20}]}]
pql:
  converted_when: paying is true
  fit: {parts: [{name: Size, weight: 1, metric: account.employees, bad: 0, good: 50}]}
  usage: {weight: 100%, parts: [{name: Size, weight: 1, metric: account.employees, bad: 0, good: 100}]}
  intent: {weight: 0%, events: [{event: Report Created, points: 60}]}
  working_when: crm.task_status in [in_progress, completed]
"""
PLAYBOOK = """\
version: 1
id: call
name: Call
owner: ann@example.com
mode: live
when: {enters: pql.score >= 90}
repeat: {already_matching: include}
do:
  - create_task: {key: call, to: account_owner, subject: Call, due: 1d, close_when_leaves: true}
"""
FIELDS: Mapping[str, Mapping[str, Any]] = {
    "health_score": {"field": "Health_Score__c", "from": "health.score", "type": "number"},
    "mrr": {"field": "Mrr__c", "from": "mrr", "type": "number"},
    "status": {"field": "Status__c", "from": "subscription.status", "type": "string", "length": 40},
    "pql": {"field": "PQL_Status__c", "from": "pql.status", "type": "string", "length": 16},
}
SUBSCRIPTIONS: Mapping[str, Mapping[str, Any]] = {
    "trial": {"status": "trialing", "trial_end": "2026-07-20", "mrr": 200},
    "leaving": {"status": "cancelled", "cancelled_at": "2026-02-03", "term_end": "2027-01-01", "mrr": 500},
    "steady": {"status": "active", "term_end": "2027-01-01", "mrr": 300},
    "same": {"status": "active", "term_end": "2027-01-01", "mrr": 100},
}
ACCOUNTS = (*SUBSCRIPTIONS, "lead")
BEFORE: Mapping[str, Mapping[str, Any]] = {
    "trial": {"mrr": 200, "subscription.status": "trial"},
    "leaving": {"subscription.status": "cancelled"},
    "steady": {"use_7d": 8},  # the day that had begun was one of the seven
}
"""What the earlier version measured of the same data."""
MOVES: Mapping[str, Mapping[str, tuple[Any, Any]]] = {
    "trial": {"Mrr__c": (200, 0), "Status__c": ("trial", "trialing")},
    "leaving": {"Status__c": ("cancelled", "cancelled_at_term_end")},
    "steady": {"Health_Score__c": (40, 50)},
    "lead": {"PQL_Status__c": ("working", "open")},  # nobody had worked on it: we had closed its task
}


def tables(lead: int) -> Tables:
    """The product's tables, with so many employees of the lead."""
    days = [AS_OF - timedelta(days=day) for day in range(1, 40)]
    hours = [f"{day:%Y-%m-%d} {hour}:00:00" for day in days if day.weekday() < 5 for hour in (10, 11)]
    nothing = dict.fromkeys(("trial_end", "cancelled_at", "term_end"))
    return {
        "accounts": [
            {"account_id": one, "name": one, "domain": f"{one}.example", "created_at": "2025-11-03 09:00:00"}
            | {"employees": lead if one == "lead" else 1}
            for one in ACCOUNTS
        ],
        "events": [
            {"account_id": "steady", "user_id": "u", "name": "Report Created", "occurred_at": hour} for hour in hours
        ],
        "subscriptions": [
            {"account_id": one, "term_start": "2026-01-01", "plan": "pro", **nothing, **own}
            for one, own in SUBSCRIPTIONS.items()
        ],
    }


def measure_as_before(*arguments: Any) -> Any:
    """As the earlier version measured: the numbers that changed their meaning are those of `BEFORE`."""
    found = measure(*arguments)
    return replace(found, now={account: {**row, **BEFORE.get(account, {})} for account, row in found.now.items()})


def run_as_before(stage: Stage, days: float) -> None:
    """A run of the earlier version, which took every completed task for a rep's work."""
    status = property(lambda task: task.status)
    with patch.object(measured, "measure_once", measure_as_before), patch.object(TaskRow, "work_status", status):
        stage.plgsync("run", "--as-of", (AS_OF + timedelta(days=days)).isoformat(), "--first-run")


def store_as_before(stage: Stage) -> dict[str, str]:
    """Bring the state to the earlier version's tables, as that version had filled them; answers their columns."""
    here, newer = stage.folder / STATE, stage.folder / "newer.db"
    with closing(sqlite3.connect(here)) as state:
        state.execute("UPDATE score_memory SET memory = json_remove(memory, '$.pql.touched_at', '$.pql.touch')")
        state.commit()
        state.execute("VACUUM INTO ?", [str(newer)])
    for file in here.parent.glob(f"{here.name}*"):
        file.unlink()
    engine = connect_store(f"sqlite:///{here}")
    upgrade(engine, OLD_REVISION)
    engine.dispose()
    columns = state_columns(stage.folder)
    with closing(sqlite3.connect(here)) as state, state:
        state.execute("ATTACH ? AS newer", [str(newer)])
        for table, names in columns.items():
            state.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM newer.{table}")
    return columns


@pytest.fixture
def upgraded(tmp_path: Path) -> Iterator[tuple[Stage, dict[str, str]]]:
    """A project whose CRM and state database hold what an earlier version wrote, and the columns of that version."""
    settings = {"config/signals.yaml": SIGNALS, "config/scores.yaml": SCORES, "playbooks/call.yaml": PLAYBOOK}
    write_settings(tmp_path, list(tables(1)), {"salesforce": FIELDS}, settings)
    with open_small(tmp_path, ACCOUNTS, ["salesforce"]) as stage:
        for days, employees in ((-2, 100), (-1, 80), (0, 80)):
            write_tables(tmp_path, tables(employees))
            run_as_before(stage, days)
        yield stage, store_as_before(stage)


def shown(stage: Stage) -> dict[str, dict[str, Any]]:
    """Our fields in the CRM, by account."""
    names = [one["field"] for one in FIELDS.values()]
    found = [one for one in stage.objects("salesforce")["Account"] if one.get("Plgsync_Account_Id__c")]
    return {one["Plgsync_Account_Id__c"]: {name: one.get(name) for name in names} for one in found}


def test_the_plan_shows_every_number_that_moved_and_the_run_writes_just_that(
    upgraded: tuple[Stage, dict[str, str]],
) -> None:
    stage, columns = upgraded
    before, stored, out = shown(stage), state_rows(stage.folder, columns), stage.folder / "plan.json"
    stage.forget_calls()
    text = stage.plgsync("plan", "--as-of", (AS_OF + timedelta(hours=1)).isoformat(), "--out", str(out)).stdout
    plan = json.loads(out.read_text(encoding="utf-8"))
    moves = {
        one["account_id"]: {change["field"]: (change["old"], change["new"]) for change in one["changes"]}
        for one in plan["records"]
    }
    assert (moves, plan["tasks"], plan["new_records"]) == (MOVES, [], [])
    rows = [[cell.strip() for cell in line.split("│")] for line in text.splitlines()]
    told = {(row[3], *row[4:6]) for row in rows if len(row) > 5}
    assert told == {(field, str(old), str(new)) for fields in MOVES.values() for field, (old, new) in fields.items()}
    assert state_rows(stage.folder, columns) == stored
    assert (shown(stage), stage.write_calls("salesforce")) == (before, 0)

    stage.plgsync("run", "--apply", str(out))
    assert shown(stage) == {
        account: {name: MOVES.get(account, {}).get(name, (None, value))[1] for name, value in fields.items()}
        for account, fields in before.items()
    }
