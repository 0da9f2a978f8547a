"""After an upgrade that changes what numbers mean, the plan shows what moves; the next run writes that and no more."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import yaml

from tests.integration import conftest
from tests.integration.conftest import Stage, sandboxes
from worker.demo.stage import point_at
from worker.pipeline.measure import measure
from worker.settings.shipped import write_project
from worker.store.crm import TaskRow
from worker.store.engine import connect_store, upgrade

OLD_REVISION = "0007"
STATE = Path(".plgsync", "state.db")
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


def write_data(folder: Path, lead: int) -> None:
    """The product's database, with so many employees of the lead."""
    columns = ("status", "trial_end", "cancelled_at", "term_end", "mrr")
    weekdays = [AS_OF - timedelta(days=day) for day in range(1, 40) if (AS_OF - timedelta(days=day)).weekday() < 5]
    used = [("steady", "u", "Report Created", f"{day:%Y-%m-%d} {hour}:00:00") for day in weekdays for hour in (10, 11)]
    named = [(one, one, f"{one}.example", "2025-11-03 09:00:00", 1 if one != "lead" else lead) for one in ACCOUNTS]
    paid = [(one, "2026-01-01", "pro", *(own.get(name) for name in columns)) for one, own in SUBSCRIPTIONS.items()]
    tables: list[tuple[str, str, Sequence[tuple[Any, ...]]]] = [
        ("accounts", "account_id, name, domain, created_at, employees", named),
        ("events", "account_id, user_id, name, occurred_at", used),
        ("subscriptions", f"account_id, term_start, plan, {', '.join(columns)}", paid),
    ]
    with closing(sqlite3.connect(folder / "product.sqlite")) as file, file:
        for table, names, rows in tables:
            file.execute(f"DROP TABLE IF EXISTS {table}")
            file.execute(f"CREATE TABLE {table} ({names})")
            file.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)


def write_settings(folder: Path) -> None:
    write_project(folder)
    for playbook in (folder / "playbooks").iterdir():
        playbook.unlink()
    product = {"version": 1, "source": {"sqlite": "product.sqlite"}}
    tables = {"tables": {name: {"table": name} for name in ("accounts", "events", "subscriptions")}}
    crm = yaml.safe_load((folder / "config" / "crm.yaml").read_text(encoding="utf-8"))
    destination = crm["destinations"]["salesforce"] | {"fields": dict(FIELDS)}
    destination["tasks"]["if_no_owner"] = "create"
    guard = {"guard": crm["guard"] | {"changed_share": "100%"}}
    for file, text in {
        "config/signals.yaml": SIGNALS,
        "config/scores.yaml": SCORES,
        "config/product.yaml": yaml.safe_dump(product | tables),
        "config/crm.yaml": yaml.safe_dump({**crm, **guard, "destinations": {"salesforce": destination}}),
        "playbooks/call.yaml": PLAYBOOK,
    }.items():
        (folder / file).write_text(text, encoding="utf-8")


def measure_as_before(*arguments: Any) -> Any:
    """As the earlier version measured: the numbers that changed their meaning are those of `BEFORE`."""
    found = measure(*arguments)
    return replace(found, now={account: {**row, **BEFORE.get(account, {})} for account, row in found.now.items()})


def run_as_before(stage: Stage, days: float) -> None:
    """A run of the earlier version, which took every completed task for a rep's work."""
    status = property(lambda task: task.status)
    with patch.object(conftest, "measure_once", measure_as_before), patch.object(TaskRow, "work_status", status):
        stage.plgsync("run", "--as-of", (AS_OF + timedelta(days=days)).isoformat(), "--first-run")


def columns_of(state: sqlite3.Connection) -> dict[str, str]:
    """The columns of each table but Alembic's."""
    tables = "SELECT m.name, group_concat('\"' || c.name || '\"') FROM sqlite_master m, pragma_table_info(m.name) c"
    return dict(state.execute(f"{tables} WHERE m.type = 'table' AND m.name != 'alembic_version' GROUP BY 1").fetchall())


def rows_of(stage: Stage, columns: Mapping[str, str]) -> dict[str, list[Any]]:
    """Every row of the state database in these columns, by table; how many calls were made is no state."""
    with closing(sqlite3.connect(stage.folder / STATE)) as state:
        kept = {table: names for table, names in columns.items() if table not in {"call_counts", "quotas"}}
        return {table: state.execute(f"SELECT {names} FROM {table}").fetchall() for table, names in kept.items()}


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
    with closing(sqlite3.connect(here)) as state, state:
        columns = columns_of(state)
        state.execute("ATTACH ? AS newer", [str(newer)])
        for table, names in columns.items():
            state.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM newer.{table}")
    return columns


@pytest.fixture
def upgraded(tmp_path: Path) -> Iterator[tuple[Stage, dict[str, str]]]:
    """A project whose CRM and state database hold what an earlier version wrote, and the columns of that version."""
    write_settings(tmp_path)
    seed = tmp_path / "seed.json"
    records = [{"Name": account, "Website": f"{account}.example"} for account in ACCOUNTS]
    seed.write_text(json.dumps({"salesforce": {"records": {"Account": records}}}), encoding="utf-8")
    with sandboxes(seed) as crms:
        point_at(tmp_path, crms)
        stage = Stage(tmp_path, {"salesforce": crms["salesforce"]})
        stage.set_up()
        for days, employees in ((-2, 100), (-1, 80), (0, 80)):
            write_data(tmp_path, employees)
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
    before, stored, out = shown(stage), rows_of(stage, columns), stage.folder / "plan.json"
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
    assert rows_of(stage, columns) == stored
    assert (shown(stage), stage.write_calls("salesforce")) == (before, 0)

    stage.plgsync("run", "--apply", str(out))
    assert shown(stage) == {
        account: {name: MOVES.get(account, {}).get(name, (None, value))[1] for name, value in fields.items()}
        for account, fields in before.items()
    }
