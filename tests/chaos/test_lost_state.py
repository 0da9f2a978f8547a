"""The state database is lost, restored or moved while a delivery dies in the act: all is as if nothing had been."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.conftest import Figures
from tests.chaos.crew import PATIENCE_S, POLL_S
from tests.integration.busy_company import (
    at,
    comparable,
    differences,
    live,
    open_company,
    run,
    seen,
    undisturbed,
    unknown_tasks,
)
from tests.integration.conftest import Stage
from worker.store.marks import UNADOPTED

DATABASE = "PLGSYNC_DATABASE_URL"
TASKS = "/tasks/batch/(upsert|create)"
Disaster = Callable[[Stage], None]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """After runs of five days and a backup."""
    monkeypatch.setenv("PLGSYNC_LEASE_S", "6")
    with open_company(tmp_path / "project") as made:
        live(made, 0)
        live(made, 5)
        made.plgsync("state", "backup", str(tmp_path / "backup.db"))
        yield made


def die_in_delivery(stage: Stage, hubspot: str) -> None:
    """The run of day 10 is killed while Salesforce has a batch of tasks; HubSpot ``has`` them all, or is ``down``."""
    if hubspot == "down":
        break_down(stage, TASKS)
    before = len(stage.objects("hubspot")["tasks"])
    stage.hold_tasks()
    killed = stage.start("run", *at(10), "--first-run")
    until(stage.holds, "Salesforce got no batch")
    until(lambda: hubspot == "down" or len(stage.objects("hubspot")["tasks"]) > before, "HubSpot got no task")
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    stage.let_go()


def break_down(stage: Stage, path: str) -> None:
    """HubSpot does not answer such calls."""
    fault = {"kind": "status", "args": {"status": 503}, "times": None, "match": {"path_regex": path}}
    stage.control("hubspot", "faults", fault)


def mend(stage: Stage) -> None:
    stage.control("hubspot", "faults", {"clear": True})


def until(true: Callable[[], object], what: str) -> None:
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < PATIENCE_S, what
        time.sleep(POLL_S)


def patiently(stage: Stage, *arguments: str) -> None:
    """A command that waits for the lease of the process that died."""

    def done() -> bool:
        ended = stage.attempt(*arguments)
        assert ended.returncode == 0 or "try again in" in ended.stderr, ended.stderr
        return ended.returncode == 0

    until(done, "the lease does not end")


def needs_person(stage: Stage) -> list[str]:
    found: list[str] = json.loads(stage.attempt("status", "--json").stdout)["needs_person"]
    return found


def lose(stage: Stage) -> None:
    for file in (stage.folder / ".plgsync").glob("state.db*"):
        file.unlink()
    mend(stage)
    assert "plgsync adopt" in stage.plgsync("run", *at(10), code=1).stderr
    assert "error" in unknown_tasks(stage).values()
    stage.plgsync("adopt", *at(10))


def restore(stage: Stage) -> None:
    """While one CRM is down, the state is restored and refuses to be used until it is back."""
    break_down(stage, ".*")
    restoring = ("state", "restore", str(stage.folder.parent / "backup.db"), *at(10))
    until(lambda: "try again in" not in stage.attempt(*restoring).stderr, "the lease does not end")
    assert UNADOPTED in needs_person(stage)
    assert "plgsync adopt" in stage.plgsync("run", *at(10), code=1).stderr
    mend(stage)
    stage.plgsync("adopt", *at(10))
    assert UNADOPTED not in needs_person(stage)


DISASTERS: dict[str, Disaster] = {
    "lost": lose,
    "restored": restore,
    "restored into PostgreSQL": restore,
    "moved to PostgreSQL": mend,
}
SHORT = ("restored", "has")


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("disaster", "hubspot"),
    [
        pytest.param(one, hubspot, marks=() if (one, hubspot) == SHORT else pytest.mark.long)
        for one in DISASTERS
        for hubspot in ("has", "down")
    ],
)
def test_all_is_as_if_nothing_had_happened(
    disaster: str,
    hubspot: str,
    stage: Stage,
    stages: Path,
    postgres_url: str,
    monkeypatch: pytest.MonkeyPatch,
    figures: Figures,
) -> None:
    die_in_delivery(stage, hubspot)
    if disaster.startswith("moved"):
        patiently(stage, "state", "move", postgres_url)
    if disaster.endswith("PostgreSQL"):
        monkeypatch.setenv(DATABASE, postgres_url)
    DISASTERS[disaster](stage)
    for day in (10, 12, 20):
        run(stage, day)
        assert differences(comparable(seen(stage)), undisturbed(stages)[day]) == [], day
    tasks = sum(len(of_crm["tasks"]) for of_crm in stage.results().values())
    figures(kills=f"1 {disaster}", effects=tasks, wrong=0, lost=0, doubled=0)


WRITTEN_EARLIER = {"salesforce/comes/Plain__c", "hubspot/comes/plgsync_plain"}
"""A text that is written when an account enters; what it says is of the data of that moment."""


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_run_of_a_clock_that_was_weeks_ahead_is_taken_back(stage: Stage, stages: Path, figures: Figures) -> None:
    """What it closed or made too early cannot be unmade; but nothing is twice, and what should be open is."""
    run(stage, 24)
    assert "plgsync state restore FILE" in stage.plgsync("run", *at(10), code=1).stderr
    stage.plgsync("state", "restore", str(stage.folder.parent / "backup.db"), *at(9))
    for day in (10, 12, 20):
        run(stage, day)
    found, expected = comparable(seen(stage)), undisturbed(stages)[20]
    places = [f"{crm}{one}" for crm in stage.crms for one in differences(found[crm]["fields"], expected[crm]["fields"])]
    assert {place.split(":")[0] for place in places} == WRITTEN_EARLIER
    assert still_open(found) == still_open(expected)
    figures(kills="1 run 19 days ahead", effects=len(found["statuses"]["hubspot"]), wrong=0, lost=0, doubled=0)


def still_open(found: dict[str, Any]) -> list[tuple[str, str]]:
    """By CRM, the subjects of the tasks that are not completed, each as often as there is one."""
    subjects = {"salesforce": "Subject", "hubspot": "hs_task_subject"}
    return sorted(
        (crm, found[crm]["tasks"][key][subject])
        for crm, subject in subjects.items()
        for key, status in found["statuses"][crm].items()
        if status.upper() != "COMPLETED"
    )
