"""A company of three workspaces in the product, and both CRMs over real HTTP."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from tests.integration.conftest import AS_OF, Stage, sandboxes
from worker.demo.stage import point_at
from worker.settings.shipped import write_project

OBJECTS = {"salesforce": "Account", "hubspot": "companies"}
SEATS = {"salesforce": "Seats__c", "hubspot": "plgsync_seats"}
IDS = {"salesforce": "Plgsync_Account_Id__c", "hubspot": "plgsync_account_id"}
CREATE = {
    "salesforce": {"Name": "account.name", "Website": "account.domain"},
    "hubspot": {"name": "account.name", "domain": "account.domain"},
}
SIGNALS = """\
version: 1
event_lists: {use: [Report Created]}
signals: {active_users: {label: active users, from: events, measure: users, events: use, window: 28d}}
"""
SCORES = """\
version: 1
health:
  bands: {red: 0, yellow: 40, green: 70}
  profiles: [{name: all, parts: [{name: Active people, weight: 1, metric: active_users, bad: 0, good: 6}]}]
"""
PRODUCT = "product.sqlite"
"""One signal, one score and the quickest kind of source: what is measured does not matter, and is most of a run."""
WORKSPACES = {"top": 50, "w1": 20, "w2": 30}
"""Account id and its employees, which become seats."""


@dataclass
class Company:
    """The project, its accounts and the CRMs; ``parents`` are those of the next run."""

    stage: Stage
    parents: dict[str, str] = field(default_factory=lambda: {"top": "", "w1": "top", "w2": "top"})
    employees: dict[str, int] = field(default_factory=lambda: dict(WORKSPACES))
    record: str = ""
    minutes: int = 0

    def write_data(self) -> None:
        """The accounts and their events as the product's database has them."""
        accounts = [
            [name, f"Acme {name}", f"{name}.acme.example", "2025-11-03 09:00:00", seats, self.parents[name]]
            for name, seats in self.employees.items()
        ]
        events = [
            [name, f"u-{name}-{day % 3}", "Report Created", f"{AS_OF - timedelta(days=day):%Y-%m-%d} 05:00:00"]
            for name in WORKSPACES
            for day in range(1, 60)
        ]
        header = ["account_id", "name", "domain", "created_at", "employees", "parent_id"]
        with closing(sqlite3.connect(self.stage.folder / PRODUCT)) as file, file:
            _write(file, "accounts", [header, *accounts])
            _write(file, "events", [["account_id", "user_id", "name", "occurred_at"], *events])

    def settings(self, record: str, **more: Any) -> None:
        """Let accounts have records of their own, or share one; with ``more`` settings of the seats."""
        self.record, file = record, self.stage.folder / "config" / "crm.yaml"
        crm = yaml.safe_load(file.read_text(encoding="utf-8"))
        for name, destination in crm["destinations"].items():
            destination["account"] |= {"record": record, "create_missing": True, "create": CREATE[name]}
            destination["fields"] = {
                "health_score": destination["fields"]["health_score"],
                "seats": {"field": SEATS[name], "from": "account.employees", "type": "number", **more},
            }
            if record == "parent":
                destination["fields"]["seats"].setdefault("combine", "sum")
        crm["guard"] |= {"changed_share": "100%", "cleared_share": "100%"}
        file.write_text(yaml.safe_dump(crm), encoding="utf-8")

    @property
    def moment(self) -> datetime:
        return AS_OF + timedelta(minutes=self.minutes)

    @property
    def as_of(self) -> str:
        return self.moment.isoformat()

    def next_minute(self) -> None:
        """Write the data of the next run."""
        self.minutes += 1
        self.write_data()

    def run(self) -> dict[str, Any]:
        """The next run, and what it reports."""
        self.next_minute()
        report: dict[str, Any] = self.stage.plgsync("run", "--as-of", self.as_of, "--first-run", "--json")
        return report

    def plan(self) -> dict[str, Any]:
        """What a run would write now."""
        plan: dict[str, Any] = self.stage.plgsync("plan", "--as-of", self.as_of, "--json")
        return plan

    def records(self, crm: str) -> dict[str, dict[str, Any]]:
        """The living records of a CRM by id, as their fields."""
        found = self.stage.objects(crm)[OBJECTS[crm]]
        if crm == "salesforce":
            return {one["Id"]: one for one in found if not one["IsDeleted"]}
        return {one["id"]: one["properties"] for one in found if not one["archived"]}

    def seats(self, crm: str) -> dict[str, float | None]:
        """By the account id on them, the seats of all living records that have one."""
        found = [one for one in self.records(crm).values() if one.get(IDS[crm])]
        return {one[IDS[crm]]: float(one[SEATS[crm]]) if one.get(SEATS[crm]) else None for one in found}

    def home(self, crm: str, account: str) -> str:
        """The record with this account id."""
        (found,) = [name for name, one in self.records(crm).items() if one.get(IDS[crm]) == account]
        return found

    def merge(self, crm: str, survivor: str, loser: str) -> None:
        """A person merges a record into another."""
        if crm == "salesforce":
            body: Mapping[str, Any] = {"do": "merge", "survivor": survivor, "losers": [loser]}
        else:
            body = {"action": "merge", "type": "companies", "survivor": survivor, "loser": loser}
        self.stage.control(crm, "mutate", body)

    def delete(self, crm: str, record: str) -> None:
        """A person deletes a record."""
        if crm == "salesforce":
            self.stage.control(crm, "mutate", {"do": "delete", "id": record})
        else:
            self.stage.control(crm, "mutate", {"action": "archive", "type": "companies", "id": record})

    def explained(self, account: str) -> dict[str, dict[str, Any]]:
        """By CRM, what `plgsync explain` says of the account there."""
        return {one["destination"]: one for one in self.stage.plgsync("explain", account, "--json")["crms"]}


def one_shared(company: Company, seats: float = 100) -> None:
    """Every account is on the one record, which has the values of all of them, and nothing is left to do."""
    plan = company.plan()
    assert (plan["records"], plan["new_records"], plan["unmatched"], plan["spare_records"]) == ([], [], [], [])
    for crm in OBJECTS:
        assert company.seats(crm) == {"top": seats}
    explained = [company.explained(account) for account in WORKSPACES]
    for crm in OBJECTS:
        (links,) = {tuple(one[crm]["links"]) for one in explained}
        assert [link.rpartition("/")[2] for link in links] == [company.home(crm, "top")]


@contextmanager
def open_company(folder: Path, record: str = "parent", others: int = 0) -> Iterator[Company]:
    """The company, and CRMs with so many records that are of no account."""
    write_project(folder)
    for playbook in (folder / "playbooks").iterdir():
        playbook.unlink()
    product = {"version": 1, "source": {"sqlite": PRODUCT}, "exclude": {"accounts": []}}
    tables = {"accounts": {"table": "accounts"}, "events": {"table": "events"}}
    (folder / "config" / "product.yaml").write_text(yaml.safe_dump({**product, "tables": tables}), encoding="utf-8")
    (folder / "config" / "signals.yaml").write_text(SIGNALS, encoding="utf-8")
    (folder / "config" / "scores.yaml").write_text(SCORES, encoding="utf-8")
    seed = folder / "seed.json"
    names = [f"Other {number}" for number in range(others)]
    accounts, companies = [{"Name": one} for one in names], [{"properties": {"name": one}} for one in names]
    records = {"salesforce": {"records": {"Account": accounts}}, "hubspot": {"records": {"companies": companies}}}
    seed.write_text(json.dumps(records), encoding="utf-8")
    with sandboxes(seed) as crms:
        point_at(folder, crms)
        company = Company(Stage(folder, crms))
        company.settings(record)
        company.write_data()
        company.stage.set_up()
        yield company


def _write(file: sqlite3.Connection, table: str, rows: list[list[Any]]) -> None:
    file.execute(f"DROP TABLE IF EXISTS {table}")
    file.execute(f"CREATE TABLE {table} ({', '.join(rows[0])})")
    file.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows[1:])
