"""kill -9 at any moment, and run again: every record right, no task twice, nothing left behind."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.integration.conftest import RUN_DAYS, WRITES, Stage, open_stage

KILLS = 6
_POLL_S = 0.03


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, stages: Path) -> Iterator[Mapping[str, object]]:
    """What both CRMs hold after the runs that nobody disturbed."""
    with open_stage(tmp_path_factory.mktemp("undisturbed") / "project", stages, days=RUN_DAYS) as stage:
        yield stage.results()


def kill_after(stage: Stage, process: subprocess.Popen[str], calls: int, writes: int) -> bool:
    """kill -9 as soon as the CRMs have had so many more calls (and writes); False when the run ended before."""
    while process.poll() is None:
        had = {crm: stage.calls(crm) for crm in stage.crms}
        written = sum(WRITES[crm](call) for crm, of_crm in had.items() for call in of_crm)
        if sum(map(len, had.values())) >= calls and written >= writes:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return True
        time.sleep(_POLL_S)
    return False


def test_killed_at_any_moment_the_next_run_makes_it_right(stage: Stage, undisturbed: Mapping[str, object]) -> None:
    chance = random.Random(20260630)
    killed = 0
    for day in RUN_DAYS:
        for _ in range(KILLS // len(RUN_DAYS)):
            stage.forget_calls()
            process = stage.start("run", "--as-of", day, "--first-run")
            killed += kill_after(stage, process, chance.randint(0, 12), chance.choice([0, 0, 1, 2, 3]))
        stage.plgsync("run", "--as-of", day, "--first-run")
    assert killed >= KILLS // 2, "the kills must hit running runs, or this shows nothing"
    assert stage.results() == undisturbed
    assert {row["last_code"] for row in stage.plgsync("outbox", "list", "--json")} <= {"NO_RECORD"}


@pytest.mark.parametrize("fault", ["drop_after", "partial_then_drop"])
def test_answers_that_get_lost_change_nothing_in_the_end(
    stage: Stage, undisturbed: Mapping[str, object], fault: str
) -> None:
    for day in RUN_DAYS:
        arm(stage, fault)
        stage.attempt("run", "--as-of", day, "--first-run")
        for crm in stage.crms:
            stage.control(crm, "faults", {"clear": True})
        wait_until_sent(stage, day)
    assert stage.results() == undisturbed


def arm(stage: Stage, fault: str) -> None:
    """The next two write calls of each CRM go wrong."""
    paths = {"salesforce": "/composite/sobjects", "hubspot": "/batch/(update|upsert|create)"}
    for crm, path in paths.items():
        kind = fault if crm == "salesforce" else {"partial_then_drop": "drop_after"}.get(fault, fault)
        stage.control(crm, "faults", {"match": {"path_regex": path}, "times": 2, "kind": kind})


def wait_until_sent(stage: Stage, day: str) -> None:
    """Run until nothing waits any more; back-offs are seconds long, so a few runs do."""
    for _ in range(20):
        rows = stage.plgsync("outbox", "list", "--json")
        if all(row["state"] in {"parked", "dead"} for row in rows):
            return
        stage.attempt("run", "--as-of", day, "--first-run")  # ends with 1 while something waits
    raise AssertionError(f"something still waits: {rows}")


def test_two_runs_at_once_are_one_run_and_one_refusal(stage: Stage) -> None:
    stage.hold_tasks()
    first = stage.start("run", "--as-of", RUN_DAYS[0], "--first-run")
    while not stage.holds():
        assert first.poll() is None
        time.sleep(_POLL_S)
    second = stage.attempt("run", "--as-of", RUN_DAYS[0], "--first-run")
    stage.let_go()
    assert second.returncode == 1
    assert "another plgsync run is in progress" in second.stderr
    assert first.wait() == 0


def test_ctrl_c_ends_with_the_batch_under_way_and_loses_nothing(
    stage: Stage, undisturbed: Mapping[str, object]
) -> None:
    stage.hold_tasks()
    process = stage.start("run", "--as-of", RUN_DAYS[0], "--first-run")
    while not stage.holds():
        assert process.poll() is None
        time.sleep(_POLL_S)
    before = stage.write_calls("salesforce")
    process.send_signal(signal.SIGINT)
    refused = stage.attempt("run", "--as-of", RUN_DAYS[0], "--first-run", env={})
    assert "another plgsync run is in progress" in refused.stderr, "what it has begun is its own until it is done"
    stage.let_go()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.startswith("interrupted")
    assert "Traceback" not in said
    assert stage.write_calls("salesforce") == before + 1, "what was under way was ended, and nothing else begun"
    for day in RUN_DAYS:
        stage.plgsync("run", "--as-of", day, "--first-run")
    assert stage.results() == undisturbed


def test_a_crm_that_is_away_catches_up_and_the_other_is_not_held_up(
    stage: Stage, undisturbed: dict[str, dict[str, dict[str, dict[str, object]]]]
) -> None:
    away = {"match": {"path_regex": "/crm/"}, "times": None, "kind": "status", "args": {"status": 503}}
    stage.control("hubspot", "faults", away)
    for day in RUN_DAYS:
        done = stage.plgsync("run", "--as-of", day, "--first-run", "--json", code=1)
        assert done["destinations"]["salesforce"]["stopped"] == ""
        assert "hubspot" in done["problems"]
    assert stage.results()["hubspot"] == {"fields": {}, "tasks": {}}
    made = set(stage.results()["salesforce"]["tasks"])
    assert made
    stage.control("hubspot", "faults", {"clear": True})
    stage.plgsync("run", "--as-of", RUN_DAYS[-1], "--first-run")

    results = stage.results()["hubspot"]
    assert scores_of(results["fields"]) == scores_of(undisturbed["hubspot"]["fields"])
    there = {key for key in made if key in undisturbed["hubspot"]["tasks"]}
    assert there <= set(results["tasks"]), "what was decided while it was away is made when it is back"


def test_a_run_ends_with_1_as_long_as_a_crm_denies_what_waits(stage: Stage) -> None:
    denied = {"match": {"path_regex": "batch/update"}, "kind": "status", "args": {"status": 403}, "times": None}
    stage.control("hubspot", "faults", denied)
    said = stage.plgsync("run", "--as-of", RUN_DAYS[0], "--first-run", code=1).stderr
    assert re.search(r"not finished: hubspot: [\d,]+ writes waiting: access denied: ", said)
    stage.control("hubspot", "faults", {"clear": True})
    again = stage.plgsync("run", "--as-of", RUN_DAYS[0], "--first-run", "--json", code=1)
    (left,) = again["left_over"]
    assert (left["destination"], left["row_state"]) == ("hubspot", "denied"), "held for a minute, and nothing was sent"
    assert left["rows"] == len(stage.plgsync("outbox", "list", "--state", "denied", "--json"))


def scores_of(fields: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    """What depends on the product data alone; playbooks hold back while open deals are not known."""
    return {
        account_id: {name: value for name, value in of_account.items() if name != "plgsync_expansion_signal"}
        for account_id, of_account in fields.items()
    }
