"""Workers die, freeze and lose answers while they create the record of a company: one record for all its accounts."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.chaos.conftest import place
from tests.chaos.crew import PATIENCE_S, POLL_S, Member
from tests.integration.company import OBJECTS, WORKSPACES, Company, one_shared, open_company
from worker.pipeline.run import compute_and_commit, connect_all, new_run_id
from worker.settings.environment import database_url
from worker.settings.project import load_project
from worker.store.engine import open_store

CREATE = "/composite/sobjects/Account/|/companies/batch/upsert"
LEASE_S = "4"


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    with open_company(tmp_path / "project") as made:
        yield made


def until(true: Callable[[], object], what: str) -> None:
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < PATIENCE_S, what
        time.sleep(POLL_S)


def arm(company: Company, kind: str) -> None:
    """The next creation of a record goes wrong in each CRM."""
    for crm in OBJECTS:
        company.stage.control(crm, "faults", {"kind": kind, "match": {"path_regex": CREATE}, "times": 1, "args": {}})


def clear(company: Company) -> None:
    for crm in OBJECTS:
        company.stage.control(crm, "faults", {"clear": True})


def waiting(company: Company) -> int:
    """How many CRMs keep a request waiting."""
    states = [requests.get(f"{crm['url']}/__sim/faults", timeout=30).json() for crm in company.stage.crms.values()]
    return sum(any(fault["waiting"] for fault in state["faults"]) for state in states)


def all_have(company: Company, seats: float) -> bool:
    return all(company.seats(crm) == {"top": seats} for crm in OBJECTS)


@pytest.mark.parametrize("kind", ["hold", "hold_after"])
def test_a_run_that_is_killed_between_the_creation_and_the_link(company: Company, kind: str) -> None:
    arm(company, kind)
    process = company.stage.start("run", "--as-of", company.as_of, "--first-run")
    until(lambda: waiting(company) == len(OBJECTS), "nothing is created")
    process.kill()
    process.communicate()
    until(lambda: not waiting(company), "the CRMs never saw that the client is gone")
    clear(company)
    for _ in range(2):
        company.run()
    one_shared(company)


@pytest.mark.parametrize("kind", ["drop_after", "truncate", "status_after"])
def test_the_answer_to_the_creation_is_lost(company: Company, kind: str) -> None:
    arm(company, kind)
    for _ in range(3):
        company.run()
    one_shared(company)


@pytest.mark.timeout(400)
def test_a_frozen_worker_creates_the_record_that_another_has_created_and_filled_meanwhile(
    company: Company, tmp_path: Path
) -> None:
    frozen, other = (worker(company, name, place(tmp_path)) for name in ("frozen", "other"))
    try:
        commit(company)
        arm(company, "hold")
        frozen.start()
        until(lambda: waiting(company) == len(OBJECTS), "nothing is created")
        frozen.send(signal.SIGSTOP)
        other.start()
        before = float(sum(WORKSPACES.values()))
        until(lambda: all_have(company, before), "nobody took over")
        company.employees["w1"] += 5
        commit(company)
        until(lambda: all_have(company, before + 5), "the new value is not written")
        clear(company)
        until(lambda: all_have(company, before), "the late creation must have put the old value back")
        frozen.send(signal.SIGCONT)
        until(lambda: frozen.log.read_text(errors="replace").count('"fenced": 1') == 2, "the late answers count")
    finally:
        frozen.kill()
        other.kill()
    company.run()
    assert all_have(company, before + 5)
    one_shared(company, before + 5)


def worker(company: Company, name: str, folder: Path) -> Member:
    """A process that delivers again and again."""
    environment = {**os.environ, "PLGSYNC_PROJECT": str(company.stage.folder), "PLGSYNC_LEASE_S": LEASE_S}
    return Member(name, [sys.executable, "-m", "tests.chaos.inline"], environment, folder / f"{name}.log")


def commit(company: Company) -> None:
    """The first half of a run: its writes are queued, and others deliver them."""
    company.next_minute()
    project = load_project(company.stage.folder)
    engine, connectors = open_store(database_url(project.root)), connect_all(project)
    compute_and_commit(project, engine, connectors, company.moment, run_id=new_run_id(), first_run=True)
    for connector in connectors.values():
        connector.close()
    engine.dispose()
