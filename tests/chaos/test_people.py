"""People edit, delete, merge and complete while we write and die: what they did stands."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.chaos.conftest import Figures, place
from tests.chaos.crew import open_crew
from tests.chaos.ground import Ground, open_ground
from tests.chaos.test_kills import kill, slow_and_forgetful


def people_act(ground: Ground, done: set[str], deleted: set[str], chance: Random) -> None:
    """In each CRM a name is edited, a company deleted, two merged, one task completed and another deleted."""
    accounts, companies = ground.records["salesforce"], ground.records["hubspot"]
    tasks = [one["Id"] for one in ground.objects("salesforce", "Task") if not one["IsDeleted"]]
    todo = [one["id"] for one in ground.objects("hubspot", "tasks") if not one["archived"]]
    complete, delete = chance.sample(sorted(set(tasks) - done - deleted), 2)
    finish, archive = chance.sample(sorted(set(todo) - done - deleted), 2)
    for action in (
        {"do": "edit", "id": accounts[0], "values": {"Name": "A person's name"}},
        {"do": "complete_task", "id": complete},
        {"do": "delete", "id": delete},
    ):
        ground.control("salesforce", "mutate", action)
    for action in (
        {"action": "edit", "type": "companies", "id": companies[0], "properties": {"name": "A person's name"}},
        {"action": "complete_task", "id": finish},
        {"action": "archive", "type": "tasks", "id": archive},
    ):
        ground.control("hubspot", "mutate", action)
    done |= {complete, finish}
    deleted |= {delete, archive}


def people_remove_companies(ground: Ground) -> list[str]:
    """The second company of each CRM is deleted, the fourth merged into the third; answers all of these."""
    accounts, companies = ground.records["salesforce"], ground.records["hubspot"]
    ground.control("salesforce", "mutate", {"do": "delete", "id": accounts[1]})
    ground.control("salesforce", "mutate", {"do": "merge", "survivor": accounts[2], "losers": [accounts[3]]})
    ground.control("hubspot", "mutate", {"action": "archive", "type": "companies", "id": companies[1]})
    merge = {"action": "merge", "type": "companies", "survivor": companies[2], "loser": companies[3]}
    ground.control("hubspot", "mutate", merge)
    return [*accounts[1:4], *companies[1:4]]


@pytest.mark.timeout(600)
def test_what_people_do_stands(tmp_path: Path, chance: Random, figures: Figures) -> None:
    done: set[str] = set()
    deleted: set[str] = set()
    with (
        open_ground(tmp_path / "project", f"sqlite:///{tmp_path / 'state.db'}") as ground,
        open_crew(ground, place(tmp_path)) as crew,
    ):
        slow_and_forgetful(ground)
        crew.add_inline("inline0")
        crew.add_producers("people")
        crew.until(lambda: len(ground.objects("hubspot", "tasks")) >= 8, "no tasks")
        crew.until(lambda: len(ground.objects("salesforce", "Task")) >= 8, "no tasks")
        spared = people_remove_companies(ground)
        for _ in range(2):
            people_act(ground, done, deleted, chance)
            kill(crew, chance, 1)
        ground.disarm()
        recovery = crew.until_quiet(but_for=lambda state: state == "parked NO_RECORD")
        verdict = crew.verdict(spared=tuple(spared))
        accounts = {one["Id"]: one for one in ground.objects("salesforce", "Account")}
        companies = {one["id"]: one for one in ground.objects("hubspot", "companies")}
        tasks = {one["Id"]: one for one in ground.objects("salesforce", "Task")}
        todo = {one["id"]: one for one in ground.objects("hubspot", "tasks")}
    figures(kills="2 and people", **verdict.figures(), recovery_s=round(recovery))
    gone, gone_company = spared[0], spared[3]
    assert accounts[ground.records["salesforce"][0]]["Name"] == "A person's name"
    assert companies[ground.records["hubspot"][0]]["properties"]["name"] == "A person's name"
    assert accounts[gone]["IsDeleted"]
    assert companies[gone_company]["archived"]
    assert len(accounts) == len(ground.records["salesforce"]), "no record is made in place of a deleted one"
    for task_id in done:
        task = tasks.get(task_id)
        assert task["Status"] == "Completed" if task else todo[task_id]["properties"]["hs_task_status"] == "COMPLETED"
    for task_id in deleted:
        assert (tasks[task_id]["IsDeleted"] if task_id in tasks else todo[task_id]["archived"]) is True
    left = {name for name in verdict.lost if not _is_of(name, spared)}
    assert not left, left
    assert not verdict.wrong
    assert not verdict.doubled


def _is_of(name: str, records: list[str]) -> bool:
    """Whether a task (``destination seed-round-record``) is of one of these records."""
    return name.rsplit("-", 1)[1] in records
