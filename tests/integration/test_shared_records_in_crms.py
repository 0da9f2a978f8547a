"""What people do in both CRMs with the record that accounts share: all of them follow, as one account does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.company import IDS, OBJECTS, WORKSPACES, Company, one_shared, open_company

ALL = float(sum(WORKSPACES.values()))


@pytest.fixture
def company(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Company]:
    """Accounts with records of their own or a shared one, and a record in each CRM that is of no account."""
    with open_company(tmp_path / "project", getattr(request, "param", "parent"), others=1) as made:
        made.run()
        made.run()
        yield made


def without_id(company: Company, crm: str) -> str:
    return next(name for name, one in company.records(crm).items() if not one.get(IDS[crm]))


def warned(company: Company) -> str:
    """What the check warns of; it fails, because the data is of another day."""
    return json.dumps(company.stage.plgsync("check", "--json", code=1)["problems"])


@pytest.mark.parametrize("company", ["own", "parent"], indirect=True)
def test_a_record_that_is_merged_into_another_is_followed(company: Company) -> None:
    survivors = {crm: without_id(company, crm) for crm in OBJECTS}
    before = {crm: company.seats(crm) for crm in OBJECTS}
    for crm, survivor in survivors.items():
        company.merge(crm, survivor, company.home(crm, "top"))
    for _ in range(2):
        company.run()
    for crm, survivor in survivors.items():
        assert company.home(crm, "top") == survivor
        assert company.seats(crm) == before[crm]


@pytest.mark.parametrize("company", ["own", "parent"], indirect=True)
def test_a_record_that_a_person_deletes_stays_deleted_for_all_of_its_accounts(company: Company) -> None:
    for crm in OBJECTS:
        company.delete(crm, company.home(crm, "top"))
    left = {crm: company.seats(crm) for crm in OBJECTS}
    for employees in (51, 52):
        company.employees["top"] = employees
        report = company.run()
    assert report["not_made"] == {f"{crm}: its record was deleted in the CRM": 1 for crm in OBJECTS}
    assert {crm: company.seats(crm) for crm in OBJECTS} == left
    of_company = WORKSPACES if company.record == "parent" else ["top"]
    assert {one["status"] for account in of_company for one in company.explained(account).values()} == {"deleted"}


@pytest.mark.parametrize("company", ["own"], indirect=True)
@pytest.mark.parametrize("survives", ["top", "w1"])
def test_records_of_before_are_named_until_they_are_merged_into_that_of_the_company(
    company: Company, survives: str
) -> None:
    company.settings("parent")
    for _ in range(2):
        spare = company.run()["spare_records"]
        assert [(one["destination"], one["account_id"]) for one in spare] == [
            (c, a) for c in sorted(OBJECTS) for a in ("w1", "w2")
        ]
    assert {crm for crm in OBJECTS if f"{crm}: 2 accounts have records beside" in warned(company)} == set(OBJECTS)
    for crm in OBJECTS:
        survivor = company.home(crm, survives)
        for other in {"top", "w1", "w2"} - {survives}:
            company.merge(crm, survivor, company.home(crm, other))
    for _ in range(2):
        company.run()
    one_shared(company)
    assert "beside that of the company" not in warned(company)


@pytest.mark.parametrize("company", ["own"], indirect=True)
def test_an_account_that_leaves_the_company_whose_record_its_own_was_merged_into_gets_another(company: Company) -> None:
    company.settings("parent")
    company.run()
    for crm in OBJECTS:
        for other in ("w1", "w2"):
            company.merge(crm, company.home(crm, "top"), company.home(crm, other))
    company.run()
    company.parents["w1"] = ""
    for _ in range(3):
        company.run()
    for crm in OBJECTS:
        assert company.seats(crm) == {"top": ALL - WORKSPACES["w1"], "w1": WORKSPACES["w1"]}
