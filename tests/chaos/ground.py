"""Two CRMs with a handful of companies, in a process that can be killed, and a project that points at them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import Engine, delete, update

from tests import forked
from tests.chaos.producer import OBJECTS, RECORDS_FILE, TEXT_FIELDS
from tests.chaos.wanted import Held, tables
from worker.demo.stage import point_at
from worker.pipeline import run as pipeline
from worker.settings.project import load_project
from worker.settings.shipped import write_project
from worker.store.engine import open_store
from worker.store.tables import outbox, quotas

COMPANIES = 24
TIMEOUT_S = 2
WRITES = {"salesforce": "/composite/sobjects", "hubspot": "/batch/(update|upsert|create)"}
_UNLIMITED = {
    "salesforce": {"login_rate": 1_000_000, "daily_api_requests": 10_000_000},
    "hubspot": {"plan_max": 1_000_000, "search_max": 1_000_000, "daily": 100_000_000},
}


@dataclass
class Ground:
    """Where chaos happens: the project, the state database and the CRMs."""

    folder: Path
    database_url: str
    engine: Engine
    crms: dict[str, dict[str, str]]
    records: dict[str, list[str]]
    _sandbox: subprocess.Popen[str] = field(repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """What every process of ours is started with; leases are short, so that a kill costs seconds."""
        return {
            **os.environ,
            "PLGSYNC_PROJECT": str(self.folder),
            "PLGSYNC_DATABASE_URL": self.database_url,
            "PLGSYNC_LEASE_S": "6",
        }

    def control(self, crm: str, what: str, body: Any) -> None:
        """Play a human or arm a fault."""
        answer = requests.post(f"{self.crms[crm]['url']}/__sim/{what}", json=body, timeout=30)
        assert answer.ok, answer.text

    def arm(
        self, crm: str, kind: str, path: str | None = None, *, method: str = "", times: int | None = 1, **args: Any
    ) -> None:
        """The next write calls of a CRM, or the calls whose path and method fit, go wrong."""
        match = {"path_regex": path or WRITES[crm], "method": method}
        self.control(crm, "faults", {"kind": kind, "match": match, "times": times, "args": args})

    def disarm(self) -> None:
        """All is well with the CRMs again."""
        for crm in self.crms:
            self.control(crm, "faults", {"clear": True})

    def fired(self, crm: str) -> int:
        """How often the faults armed since the last `disarm` were met."""
        return sum(fault["fired"] for fault in self._armed(crm))

    def waiting(self, crm: str) -> int:
        """How many requests a CRM has and keeps waiting."""
        return sum(fault["waiting"] for fault in self._armed(crm))

    def _armed(self, crm: str) -> list[dict[str, Any]]:
        answer = requests.get(f"{self.crms[crm]['url']}/__sim/faults", timeout=30)
        armed: list[dict[str, Any]] = answer.json()["faults"]
        return armed

    def answered(self, crm: str, kind: str) -> bool:
        """Whether a request that met this kind of fault has come to its end."""
        answer = requests.get(f"{self.crms[crm]['url']}/__sim/log", timeout=30)
        return any(entry["fault"] == kind for entry in answer.json()["entries"])

    def writes(self, crm: str) -> int:
        """How many write calls a CRM has had."""
        query = {"path": WRITES[crm], "limit": "1"}
        answer = requests.get(f"{self.crms[crm]['url']}/__sim/log", params=query, timeout=30)
        return int(answer.json()["matched"])

    def all_writes(self) -> int:
        """How many write calls both have had."""
        return sum(self.writes(crm) for crm in self.crms)

    def objects(self, crm: str, kind: str) -> list[dict[str, Any]]:
        """Every record of one kind, as the CRM holds it now."""
        answer = requests.get(f"{self.crms[crm]['url']}/__sim/state", params={"object": kind}, timeout=30)
        found: list[dict[str, Any]] = answer.json()["objects"][kind]
        return found

    def contents(self) -> dict[str, Held]:
        """What both CRMs hold of what we write."""
        accounts = {one["Id"]: one.get(TEXT_FIELDS["salesforce"]) for one in self.objects("salesforce", "Account")}
        companies = {
            one["id"]: one["properties"].get(TEXT_FIELDS["hubspot"]) for one in self.objects("hubspot", "companies")
        }
        tasks = [one["Subject"] for one in self.objects("salesforce", "Task")]
        todo = [one["properties"]["hs_task_subject"] for one in self.objects("hubspot", "tasks")]
        return {"salesforce": Held(accounts, tasks), "hubspot": Held(companies, todo)}

    def let_time_pass(self) -> None:
        """Whatever waits for a later time is due now, and nothing is known of the CRMs' day yet."""
        with self.engine.begin() as connection:
            connection.execute(delete(quotas))
            connection.execute(update(outbox).where(outbox.c.state == "pending").values(due_at=0.0))

    def kill_crms(self) -> None:
        """kill -9 both CRMs, and start them again as they were."""
        self._sandbox.kill()
        self._sandbox.wait()
        ports = {name: crm["url"].rsplit(":", 1)[1] for name, crm in self.crms.items()}
        self._sandbox, self.crms = start_crms(self.folder, ports)
        self.unlimited()

    def unlimited(self) -> None:
        """Both CRMs without the limits that this test is not about."""
        for crm, options in _UNLIMITED.items():
            self.control(crm, "config", options)

    def set_up(self, without_task_key: Sequence[str] = ()) -> None:
        """Create our fields; a CRM ``without_task_key`` cannot hold the key of a task."""
        project = load_project(self.folder)
        connectors = pipeline.connect_all(project)
        for name, connector in connectors.items():
            needs = project.crm.destinations[name].needs()
            connector.setup([n for n in needs if name not in without_task_key or n.object != "task"], False)
            connector.close()

    def close(self) -> None:
        """End the CRMs."""
        self._sandbox.kill()
        self._sandbox.wait()
        self.engine.dispose()


def start_crms(folder: Path, ports: Mapping[str, str]) -> tuple[subprocess.Popen[str], dict[str, dict[str, str]]]:
    """Both CRMs in one process, whose state outlasts a kill."""
    chosen = [word for name, port in ports.items() for word in (f"--{name}-port", port)]
    files = ["--seed", str(folder / "seed.json"), "--state", str(folder / "crms.db")]
    with (folder / "sandbox.log").open("a", encoding="utf-8") as log:
        process = forked.Popen[str](
            [sys.executable, "-m", "connectors.sandbox", *files, *chosen],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    with process.stdout as announced:
        return process, json.loads(announced.readline())


def seed_of(companies: int) -> dict[str, Any]:
    """Both CRMs with so many companies and nothing else."""
    names = [f"Company {number:03}" for number in range(companies)]
    return {
        "salesforce": {"records": {"Account": [{"Name": name} for name in names]}},
        "hubspot": {
            "records": {"companies": [{"properties": {"name": name, "domain": f"{name[-3:]}.test"}} for name in names]}
        },
    }


@contextmanager
def open_ground(
    folder: Path, database_url: str, companies: int = COMPANIES, *, without_task_key: Sequence[str] = ()
) -> Iterator[Ground]:
    """The project, both CRMs with our fields in them, and an empty outbox."""
    write_project(folder)
    (folder / "seed.json").write_text(json.dumps(seed_of(companies)), encoding="utf-8")
    ports = {name: str(_free_port()) for name in OBJECTS}
    sandbox, crms = start_crms(folder, ports)
    point_at(folder, crms)
    _settings(folder, without_task_key)
    engine = open_store(database_url)
    tables.create_all(engine)
    ground = Ground(folder, database_url, engine, crms, {}, sandbox)
    try:
        ground.unlimited()
        ground.set_up(without_task_key)
        ground.records |= {
            "salesforce": sorted(one["Id"] for one in ground.objects("salesforce", "Account")),
            "hubspot": sorted(one["id"] for one in ground.objects("hubspot", "companies")),
        }
        (folder / RECORDS_FILE).write_text(json.dumps(ground.records), encoding="utf-8")
        yield ground
    finally:
        ground.close()


def _settings(folder: Path, without_task_key: Sequence[str]) -> None:
    """Short timeouts; and where a CRM cannot hold the key of a task, the operator's word that copies are accepted."""
    file = folder / "config" / "crm.yaml"
    text = file.read_text(encoding="utf-8")
    for name in OBJECTS:
        text = text.replace(f"    kind: {name}\n", f"    kind: {name}\n    timeout: {TIMEOUT_S}\n", 1)
    if "hubspot" in without_task_key:
        text = text.replace("      key_field: plgsync_key ", "      at_least_once: true\n      key_field: plgsync_key ")
    file.write_text(text, encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
