"""The accounts of a company share one record: the same whatever their order, and whichever is missing for a run."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console, RenderableType
from sqlalchemy import Engine, select

from connectors.base import AccessDenied, FieldSpec, Scalar
from tests.conftest import some_of
from tests.unit.delivery.scripted import always
from tests.unit.pipeline.pipeline_kit import CRM, SPECS, START, Project
from tests.unit.planning.whole_crm import KEY
from worker.pipeline.run import RunReport
from worker.planning.account_in_crm import AccountInCrm, account_in_crms
from worker.planning.crm_view import load_view
from worker.rendering.history import render_effects
from worker.rendering.plan import render_plan
from worker.rendering.status import render_status
from worker.reports.history import read_history
from worker.reports.reader import Reader
from worker.reports.status import read_status
from worker.settings.alerts import NO_ALERTS
from worker.settings.project import load_project
from worker.store.engine import open_store
from worker.store.ledger import effects_of
from worker.store.subjects import subject_of
from worker.store.tables import ledger, outbox

SHARED = CRM.replace(f"match_field: {KEY}}}", f"match_field: {KEY}, record: parent}}").replace(
    "      health_score:",
    "      seats: {field: seats, from: seats_used, type: number, combine: sum}\n"
    "      note: {field: note, combine: any}\n"
    "      health_score:",
)
MORE_SPECS = {
    **SPECS,
    "seats": FieldSpec(name="seats", type="number", precision=6, scale=0),
    "note": FieldSpec(name="note", type="string", length=80),
}
FEW_SEATS = """\
when:
  enters: seats_used < 30
do:
  - set_fields: {note: "few seats at {{ account.name }}"}
  - create_task: {key: call, to: account_owner, subject: Call them, due: 1bd}
"""
WORKSPACES = ("top", "w1", "w2", "w3")


def account(name: str, seats: int | None) -> dict[str, Any]:
    return {"account.name": f"Acme {name}", "account.is_internal": False, "seats_used": seats}


def of_company(tmp_path: Path, store: Engine, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = Project(tmp_path, store, monkeypatch)
    project.write("config/crm.yaml", SHARED)
    project.crm.specs = MORE_SPECS
    project.parents = {"top": None, "w1": "top", "w2": "w1", "w3": "top"}
    return project


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    store: Engine = request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_store")
    made = of_company(tmp_path, store, monkeypatch)
    made.facts = {name: account(name, seats) for name, seats in zip(WORKSPACES, (80, 20, 50, 60), strict=True)}
    return made


on_both = pytest.mark.parametrize("project", ["sqlite", "postgres"], indirect=True)
"""For what reads or writes the state of shared records otherwise than every run does."""


def record(project: Project) -> dict[str, Scalar]:
    (found,) = project.crm.records.values()
    return dict(found)


@on_both
def test_one_record_has_the_worst_score_and_the_sum_and_is_written_once(project: Project) -> None:
    report = project.run()
    assert record(project) == {KEY: "top", "seats": 210, "health": 20}
    (change,) = report.computed.plan.records
    assert change.members == WORKSPACES
    assert {one.name: one.accounts for one in change.changes} == {"seats": WORKSPACES, "health_score": ("w1",)}
    writes = len(project.crm.writes)
    for day in (1, 2):
        assert project.run(day).computed.plan.records == []
    assert len(project.crm.writes) == writes
    assert project.run(3).computed.plan.known_records == {"crm": 1}


def test_an_unknown_part_makes_a_sum_unknown_but_not_the_worst(project: Project) -> None:
    project.run()
    project.facts["w3"]["seats_used"] = None
    project.run(1)
    assert record(project) == {KEY: "top", "seats": None, "health": 20}


@pytest.mark.parametrize("lost", [set(some) for n in (1, 2, 3, 4) for some in itertools.combinations(WORKSPACES, n)])
def test_whoever_is_missing_for_a_run_the_record_stays(project: Project, lost: set[str]) -> None:
    project.run()
    before, facts = record(project), dict(project.facts)
    project.facts = {name: row for name, row in facts.items() if name not in lost}
    assert project.run(0.1).computed.plan.records == []
    assert record(project) == before
    project.facts = facts
    assert project.run(0.2).computed.plan.records == []
    assert record(project) == before


def test_the_others_go_on_while_one_is_missing(project: Project) -> None:
    project.run()
    w1 = project.facts.pop("w1")
    project.facts["w2"]["seats_used"] = 55
    project.run(0.1)
    assert record(project) == {KEY: "top", "seats": 215, "health": 20}
    project.facts["w1"] = w1
    assert project.run(0.2).computed.plan.records == []


def test_an_account_that_may_be_deleted_splits_no_company_before_it_ever_had_a_share(project: Project) -> None:
    project.undecided = frozenset({"w1"})  # the parent of w2
    project.run()
    assert record(project) == {KEY: "top", "seats": 190, "health": 50}
    project.undecided = frozenset()
    project.run(0.1)
    assert record(project) == {KEY: "top", "seats": 210, "health": 20}


@pytest.mark.parametrize("why", [{"account.deleted_at": START - timedelta(days=1)}, {"account.is_internal": True}])
@pytest.mark.parametrize("excluded", [False, True])
def test_a_deleted_or_internal_account_does_not_count(project: Project, why: dict[str, Any], excluded: bool) -> None:
    project.run()
    project.facts["w1"] |= why
    if excluded:  # the data has it, and it is not among the accounts that count
        project.listed = frozenset({"w1"})
        del project.facts["w1"]
    project.run(1)
    assert record(project) == {KEY: "top", "seats": 190, "health": 50}


@on_both
def test_an_account_that_leaves_the_company_takes_its_share_along(project: Project) -> None:
    project.run()
    project.parents["w1"] = None
    project.run(1)
    assert project.crm.records["R-top"] == {KEY: "top", "seats": 140, "health": 60}  # w2 is below w1
    assert project.crm.records["R-w1"] == {KEY: "w1", "seats": 70, "health": 20}


@on_both
def test_a_new_top_account_takes_over_the_record(project: Project) -> None:
    project.run()
    project.facts["group"] = account("group", 10)
    project.parents |= {"top": "group", "group": "nobody"}
    project.run(1)
    assert record(project) == {KEY: "group", "seats": 220, "health": 10}
    assert project.run(2).computed.plan.records == []


@on_both
def test_a_workspace_that_had_its_own_record_hands_it_over_once(project: Project) -> None:
    project.write("config/crm.yaml", CRM)
    everybody, project.facts = project.facts, {"w1": account("w1", 20)}
    project.parents = {"w1": None}
    project.run()
    assert set(project.crm.records) == {"R-w1"}
    project.write("config/crm.yaml", SHARED)
    project.facts, project.parents = everybody, {"top": "nobody", "w1": "top", "w2": "w1", "w3": "top"}
    project.run(1)
    assert project.crm.records == {"R-w1": {KEY: "top", "seats": 210, "health": 20}}
    assert project.run(2).computed.plan.records == []


@on_both
def test_each_account_has_its_own_task_on_the_record_which_names_it(project: Project) -> None:
    project.playbook(FEW_SEATS.replace("when:", "repeat: {already_matching: include}\nwhen:"))
    project.facts["w2"]["seats_used"] = 10
    report = project.run()
    tasks = {task.account_id: task for task in report.computed.plan.tasks}
    assert set(tasks) == {"w1", "w2"}
    assert {task.record_id for task in tasks.values()} == {"R-top"}
    assert tasks["w2"].payload["body"].startswith("Account: Acme w2 (w2)")
    assert record(project)["note"] == "few seats at Acme w1"
    again = project.run(1).computed.plan
    assert (again.tasks, again.records) == ([], [])


def test_a_task_names_its_account_also_while_the_crm_cannot_be_read(project: Project) -> None:
    project.playbook(FEW_SEATS)
    project.facts["w1"] |= {"account.name": "Acme\x1b w1\nOwner: nobody", "seats_used": 80}
    project.run()
    project.facts["w1"]["seats_used"] = 20
    with project.monkeypatch.context() as patched:
        patched.setattr(project.crm, "describe", Mock(side_effect=AccessDenied("no")))
        (task,) = project.run(1).computed.plan.tasks
    assert task.payload["body"] == "Account: Acme  w1 Owner: nobody (w1)"


def test_a_company_whose_top_account_is_missing_from_the_start_is_not_written(project: Project) -> None:
    everybody, project.facts = project.facts, {"top": account("top", 5)}
    project.run()
    project.facts = {name: row for name, row in everybody.items() if name != "top"}
    assert project.run(0.1).computed.plan.records == []
    project.facts["top"] = account("top", 5)
    project.run(0.2)
    assert record(project) == {KEY: "top", "seats": 135, "health": 5}


def test_deleted_accounts_count_without_the_excluded_one_where_no_other_is_left(project: Project) -> None:
    project.run()
    for name in WORKSPACES[1:]:
        project.facts[name]["account.deleted_at"] = START
    project.listed = frozenset({"top"})
    del project.facts["top"]
    project.run(1)
    assert record(project) == {KEY: "top", "seats": 130, "health": 20}


def creating(project: Project, text: str, **parents: str) -> None:
    """Change to these settings with create_missing, and to these parents."""
    made = "create_missing: true, create: {name: account.name}}"
    project.write("config/crm.yaml", text.replace(f"match_field: {KEY}}}", f"match_field: {KEY}, {made}"))
    if "record: parent" in text:
        project.write("config/crm.yaml", text.replace("record: parent}", f"record: parent, {made}"))
    project.crm.specs = MORE_SPECS | {"name": FieldSpec(name="name", type="string", length=80)}
    project.parents = {**dict.fromkeys(WORKSPACES, "nobody"), **parents}


@on_both
def test_a_record_that_a_person_deleted_is_not_created_again_after_the_account_shared_one(project: Project) -> None:
    project.crm.records["R-w1"] = {KEY: "w1"}
    creating(project, CRM)
    project.run()
    project.crm.human_deletes("R-w1")
    project.run(0.1)
    creating(project, SHARED, w1="top", w2="w1", w3="top")
    project.run(0.2)
    creating(project, CRM)
    plan = project.run(0.3).computed.plan
    assert plan.new_records == []
    assert [(one.account_id, one.not_made) for one in plan.unmatched] == [("w1", "its record was deleted in the CRM")]


def left_to_the_company(project: Project) -> None:
    """A record is created for w1, which the company takes over."""
    everybody, project.facts = project.facts, {"w1": project.facts["w1"]}
    creating(project, CRM)
    project.run()
    project.facts = everybody
    creating(project, SHARED, w1="top", w2="w1", w3="top")
    project.run(0.1)
    assert project.crm.records == {"N-w1": {"name": "Acme w1", KEY: "top", "seats": 210, "health": 20}}


@on_both
def test_an_account_that_left_its_own_record_to_the_company_gets_another_when_it_leaves_that(project: Project) -> None:
    left_to_the_company(project)
    creating(project, SHARED, w2="w1", w3="top")
    project.run(0.2)
    project.run(0.3)
    assert {one[KEY]: one["seats"] for one in project.crm.records.values()} == {"top": 140, "w1": 70}
    assert project.run(0.4).computed.plan.new_records == []


def test_an_account_that_leaves_the_company_is_matched_before_a_record_is_created(project: Project) -> None:
    left_to_the_company(project)
    project.crm.records["R-hand"] = {KEY: "w1"}
    creating(project, SHARED, w3="top")
    plan = project.run(0.2).computed.plan
    assert [one.account_id for one in plan.new_records] == ["w2"]
    assert project.crm.records["R-hand"] == {KEY: "w1", "seats": 20, "health": 20}


def with_own_records(project: Project, *accounts: str) -> None:
    """These accounts have records of their own, and then all share one."""
    project.write("config/crm.yaml", CRM)
    everybody, project.facts = project.facts, {one: project.facts[one] for one in accounts}
    project.parents = dict.fromkeys(accounts)
    project.run()
    project.facts = everybody
    creating(project, SHARED, w1="top", w2="top", w3="top")


def spare(report: RunReport) -> dict[str, str]:
    """By account, which record is shared instead of its own."""
    return {one.account_id: one.shared.rpartition("/")[2] for one in report.computed.plan.spare_records}


def printed(what: RenderableType) -> str:
    console = Console(width=1000)
    with console.capture() as captured:
        console.print(what)
    return captured.get()


def shown(report: RunReport) -> str:
    return printed(render_plan(report.computed, ()))


@on_both
def test_records_beside_that_of_the_company_are_named_until_a_person_has_cleared_them_up(project: Project) -> None:
    with_own_records(project, *WORKSPACES)
    for day in (0.1, 0.2):
        report = project.run(day)
        assert spare(report) == dict.fromkeys(("w1", "w2", "w3"), "R-top")
    assert project.crm.records["R-top"] == {KEY: "top", "seats": 210, "health": 20}
    text = shown(report)
    assert "share the record of Acme top (https://crm.example/R-top) have others of their own" in text
    assert "Acme w1 https://crm.example/R-w1" in text
    assert "merge each into that of Acme top in the CRM, or empty the account id on it" in text
    assert stored(project, "w1").spare == "https://crm.example/R-w1"
    project.crm.human_sets("R-w1", KEY, None)
    project.crm.human_deletes("R-w2")
    assert spare(project.run(0.3)) == {"w3": "R-top"}
    project.crm.human_sets("R-w3", KEY, "somebody else")
    assert spare(project.run(0.4)) == {}
    assert stored(project, "w1").spare == ""


def test_an_account_gets_its_own_record_back_when_it_leaves_the_company(project: Project) -> None:
    with_own_records(project, *WORKSPACES)
    project.run(0.1)
    creating(project, SHARED, w2="top", w3="top")
    report = project.run(0.2)
    assert (report.computed.plan.new_records, spare(report)) == ([], dict.fromkeys(("w2", "w3"), "R-top"))
    project.facts["w1"]["seats_used"] = 10
    project.run(0.3)
    assert project.crm.records["R-w1"] == {KEY: "w1", "seats": 10, "health": 10}


def test_a_company_whose_accounts_have_several_records_gets_no_other_and_a_person_chooses(project: Project) -> None:
    with_own_records(project, "w1", "w2")
    report = project.run(0.1)
    assert set(project.crm.records) == {"R-w1", "R-w2"}
    assert spare(report) == {"w1": "", "w2": ""}
    (unmatched,) = report.computed.plan.unmatched
    assert (unmatched.account_id, unmatched.not_made) == ("top", "its accounts have several records")
    text = shown(report)
    assert "Acme top has no record, and the accounts that would share it have several" in text
    assert "merge them into one in the CRM, or write the account id top on the one to share" in text
    project.crm.human_sets("R-w2", KEY, "top")
    assert spare(project.run(0.2)) == {"w1": "R-w2"}
    assert project.crm.records["R-w2"] == {KEY: "top", "seats": 210, "health": 20}


def test_the_record_that_is_left_of_several_is_that_of_the_company(project: Project) -> None:
    with_own_records(project, "w1", "w2")
    project.run(0.1)
    project.crm.human_deletes("R-w1")
    report = project.run(0.2)
    assert (spare(report), report.computed.plan.new_records) == ({}, [])
    assert project.crm.records == {"R-w2": {KEY: "top", "seats": 210, "health": 20}}


@on_both
def test_a_company_is_found_by_the_id_of_any_of_its_accounts(project: Project) -> None:
    project.crm.records["R-old"] = {KEY: "w2"}
    creating(project, SHARED, w1="top", w2="w1", w3="top")
    project.run()
    project.run(0.1)
    assert project.crm.records == {"R-old": {KEY: "top", "seats": 210, "health": 20}}


@pytest.mark.parametrize("before", ["own", "top"])
def test_a_company_waits_for_a_record_that_may_have_been_created_for_one_of_its_accounts(
    project: Project, before: str
) -> None:
    everybody = project.facts
    project.facts = {"w1": everybody["w1"]}
    creating(project, CRM if before == "own" else SHARED)
    project.crm.script = always("unknown")  # the CRM has it, and applies it late
    project.run()
    assert project.crm.records == {}
    project.crm.script = always("applied")
    project.facts = everybody
    creating(project, SHARED, w1="top", w2="w1", w3="top")
    plan = project.run(0.1).computed.plan
    assert plan.new_records == []
    assert [one.not_made for one in plan.unmatched] == [
        "the record of w1 may have been created, and the answer is awaited"
    ]
    project.run(0.2)
    assert project.crm.records == {"N-w1": {"name": "Acme w1", KEY: "top", "seats": 210, "health": 20}}


@on_both
def test_a_shared_field_is_filled_once_while_it_is_empty(project: Project) -> None:
    project.write("config/crm.yaml", SHARED.replace("combine: sum}", "combine: sum, write: if_empty}"))
    project.facts["w3"]["seats_used"] = None

    def seats_after(day: float, **changed: int | None) -> Scalar:
        for name, seats in changed.items():
            project.facts[name]["seats_used"] = seats
        project.run(day)
        return record(project).get("seats")

    assert seats_after(0) is None, "the sum has an unknown part"
    assert seats_after(1, w3=60) == 210
    assert seats_after(2, w3=70) == 210
    assert seats_after(3, w3=None) == 210
    project.crm.human_sets("R-top", "seats", 7)
    assert seats_after(4, w3=60) == 7
    project.crm.human_sets("R-top", "seats", None)
    w3 = project.facts.pop("w3")
    assert seats_after(4.1) == 210, "with the last value of the missing one"
    project.facts["w3"] = w3
    assert seats_after(4.2, w3=80) == 210


def test_a_shared_field_that_is_filled_while_empty_keeps_what_the_record_of_one_account_had(project: Project) -> None:
    if_empty = SHARED.replace("combine: sum}", "combine: sum, write: if_empty}")
    everybody, project.facts = project.facts, {"w1": project.facts["w1"]}
    project.parents = {"w1": None}
    project.write("config/crm.yaml", if_empty)
    project.run()
    assert record(project) == {KEY: "w1", "seats": 20, "health": 20}
    project.facts, project.parents = everybody, {"top": "nobody", "w1": "top", "w2": "top", "w3": "top"}
    project.run(1)
    assert record(project) == {KEY: "top", "seats": 20, "health": 20}


@on_both
def test_the_history_of_an_account_has_the_writes_of_the_record_that_it_shares(project: Project) -> None:
    project.playbook(FEW_SEATS.replace("when:", "repeat: {already_matching: include}\nwhen:"))
    project.run()
    with project.store.begin() as connection:
        kinds = {
            name: [row["kind"] for row in effects_of(connection, subject_of(name, ["crm"]), (), 10)]
            for name in ("top", "w1", "w2")
        }
    assert kinds == {"top": ["fields"], "w1": ["fields", "task_create"], "w2": ["fields"]}


@on_both
def test_the_history_has_the_writes_of_the_company_only_while_its_accounts_share_a_record(project: Project) -> None:
    project.run()
    project.write("config/crm.yaml", CRM)
    project.run(1)
    project.facts["top"]["seats_used"] = 5
    project.run(2)
    effects = read_history(reader(project), "w1", field=None, limit=9)
    assert {effect.account_id for effect in effects} <= {"w1"}


def reader(project: Project) -> Reader:
    return Reader(root=project.root, engine=project.store, project=load_project(project.root), alerts=NO_ALERTS)


@on_both
def test_the_status_counts_the_companies_and_the_accounts_that_share_their_records(project: Project) -> None:
    project.facts["alone"] = account("alone", 40)
    project.facts |= {name: account(name, 40) for name in ("b", "b1")}
    project.parents |= {"alone": None, "b": None, "b1": "b"}
    assert "share" not in printed(render_status(read_status(reader(project))))
    project.run()
    status = read_status(reader(project))
    assert status.to_json()["shared_records"] == [{"destination": "crm", "companies": 2, "accounts": 6}]
    assert "crm: 6 accounts of 2 companies share the record of their company (record: parent)" in printed(
        render_status(status)
    )
    project.write("config/crm.yaml", CRM)
    assert read_status(reader(project)).shared_records == []


@on_both
def test_the_ledger_has_how_many_accounts_a_value_comes_from_and_names_some(project: Project) -> None:
    project.facts = {name: account(name, 50) for name in ("top", *(f"x{n:04}" for n in range(2000)))}
    project.facts["x1234"]["seats_used"] = 3
    project.parents = dict.fromkeys(project.facts, "top") | {"top": None}
    project.run()
    (effect,) = read_history(reader(project), "x0777", field=None, limit=9)
    assert effect.members == 2001
    assert {one.name: (one.account_count, one.accounts) for one in effect.fields} == {
        "seats": (2001, ("top", "x0000", "x0001", "x0002", "x0003")),
        "health_score": (1, ("x1234",)),
    }
    assert "record of 2,001 accounts" in printed(render_effects("x0777", [effect]))
    assert "from top, x0000, x0001, x0002, x0003 … and 1,996 more" in printed(render_effects("x0777", [effect]))
    with project.store.begin() as connection:
        kept = [
            *connection.execute(select(ledger.c.reasons)).scalars(),
            *connection.execute(select(outbox.c.context)).scalars(),
        ]
    assert max(len(json.dumps(one)) for one in kept) < 1000


def test_a_plan_names_some_of_many_accounts(project: Project) -> None:
    project.facts = {name: account(name, 50) for name in ("top", *(f"x{n:04}" for n in range(1200)))}
    project.parents = dict.fromkeys(project.facts, "top") | {"top": None}
    text = shown(project.run())
    assert "x0003 … and 1,196 more" in text
    assert "x0004" not in text


def test_texts_of_playbooks_combine_as_the_kind_of_their_field(project: Project) -> None:
    fields = "flag: {field: flag, type: bool, combine: all}\n      day: {field: day, type: date, combine: latest}"
    project.write("config/crm.yaml", SHARED.replace("      note:", f"      {fields}\n      note:"))
    flag, day = FieldSpec(name="flag", type="bool"), FieldSpec(name="day", type="date")
    project.crm.specs = MORE_SPECS | {"flag": flag, "day": day}
    for name, words in zip(WORKSPACES, ("yes", "no", "", "yes"), strict=True):
        project.facts[name] |= {"account.industry": words, "account.domain": f"2026-05-0{len(words) + 1}"}
    project.playbook(
        "repeat: {already_matching: include}\nwhen:\n  enters: seats_used < 100\ndo:\n"
        '  - set_fields: {flag: "{{ account.industry }}", day: "{{ account.domain }}"}\n'
    )
    assert project.run().computed.plan.invalid == []
    assert record(project) == {KEY: "top", "seats": 210, "health": 20, "flag": False, "day": "2026-05-04"}


def stored(project: Project, account_id: str) -> AccountInCrm:
    loaded = load_project(project.root)
    with project.store.begin() as connection:
        view = load_view(connection, "crm", loaded.crm, project.crm, START)
    (found,) = account_in_crms(project.store, [view], account_id)
    return found


@on_both
def test_what_is_stored_says_which_accounts_a_value_comes_from(project: Project) -> None:
    project.run()
    found = stored(project, "w2")
    assert (found.status, found.members) == ("matched", WORKSPACES)
    assert {one.name: (one.combine, one.accounts) for one in found.shared} == {
        "seats": ("sum", WORKSPACES),
        "health_score": ("worst", ("w1",)),
        "note": ("any", ()),
    }
    assert [effect.kind for effect in found.effects] == ["fields"]


SEATS = st.lists(st.one_of(st.none(), st.integers(0, 100)), min_size=len(WORKSPACES), max_size=len(WORKSPACES))
ORDERS = st.lists(st.permutations(WORKSPACES), min_size=4, max_size=4)
MISSING = st.lists(st.sets(st.sampled_from(WORKSPACES), min_size=1), min_size=3, max_size=3)


@settings(max_examples=some_of(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seats=SEATS, orders=ORDERS, missing=MISSING)
def test_any_order_of_members_and_any_vanishing_give_the_same_record(
    seats: list[int | None],
    orders: list[list[str]],
    missing: list[set[str]],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path_factory.mktemp("company")
    store = open_store(f"sqlite:///{folder / 'state.db'}")
    project = of_company(folder / "project", store, monkeypatch)
    everybody = {name: account(name, one) for name, one in zip(WORKSPACES, seats, strict=True)}
    seen = []
    for hour, (order, without) in enumerate(zip(orders, [set(), *missing], strict=True)):
        project.facts = {name: dict(everybody[name]) for name in order if name not in without}
        project.run(hour / 100)
        seen.append(record(project))
    known = [one for one in seats if one is not None]
    expected = {
        KEY: "top",
        "seats": sum(known) if len(known) == len(seats) else None,
        "health": min(known, default=None),
    }
    assert [{KEY: one[KEY], "seats": one.get("seats"), "health": one.get("health")} for one in seen] == [expected] * 4
    store.dispose()


@on_both
def test_a_person_gives_the_record_of_a_top_account_that_is_gone_to_another(project: Project) -> None:
    project.run()
    del project.facts["top"]
    for day in range(1, 5):
        project.run(day)
    assert record(project) == {KEY: "top", "seats": 210, "health": 20}
    project.crm.human_sets("R-top", KEY, "w1")
    project.run(5)
    assert record(project) == {KEY: "w1", "seats": 70, "health": 20}
