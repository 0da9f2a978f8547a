"""Person accounts, which no test org has: the answers are as a real org gives them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import responses

from connectors.base import MatchField, MatchKey
from connectors.registry import connect
from tests.unit.connectors.salesforce import org
from tests.unit.connectors.salesforce.org import DATA

ORG = replace(org.ORG, object="Contact")
PERSON, ACCOUNT, CONTACT = "0035f000000AAAAAA1", "0015f000000AAAAAA1", "0035f000000BBBBBA1"
COLUMNS = {
    "Contact": ["Id", "OwnerId", "Email", "AccountId", "IsPersonAccount", "Plgsync_Account_Id__c", "Score__c"],
    "Account": ["Id", "OwnerId", "IsPersonAccount", "PersonEmail", "Plgsync_Account_Id__c", "Score__c"],
}
ROWS: dict[str, list[dict[str, Any]]] = {
    "Contact": [
        {"Id": PERSON, "AccountId": ACCOUNT, "IsPersonAccount": True, "Email": "ann@home.example"},
        {"Id": CONTACT, "AccountId": "0015f000000CCCCCA1", "IsPersonAccount": False, "Email": "bob@acme.example"},
    ],
    "Account": [{"Id": ACCOUNT, "OwnerId": "005", "PersonEmail": "ann@home.example", "Score__c": 7.0}],
    "Lead": [],
}


@pytest.fixture(autouse=True)
def web() -> Iterator[responses.RequestsMock]:
    """An org of one person account and one ordinary contact; a query gets the rows whose id or address it names."""

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        query = parse_qs(urlsplit(str(request.url)).query)["q"][0]
        kind = re.findall(r"FROM (\w+)", query)[0]
        rows = [
            row for row in ROWS[kind] if any(f"'{row.get(name)}'" in query for name in ("Id", "Email", "PersonEmail"))
        ]
        columns = re.findall(r"\w+", query.partition("FROM")[0])[1:]
        shown = [{name: row.get(name, False if name == "IsDeleted" else None) for name in columns} for row in rows]
        return 200, {}, json.dumps({"done": True, "records": shown})

    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        for kind, names in COLUMNS.items():
            fields = [{"name": name, "type": "double" if name == "Score__c" else "string"} for name in names]
            web.get(f"{DATA}sobjects/{kind}/describe", json={"fields": fields})
        web.add_callback("GET", re.compile(rf"{DATA}query(All)?\?q=.*"), answer)
        yield web


def test_where_our_records_are_contacts_a_person_account_is_its_account() -> None:
    person, contact = connect(ORG).match([MatchKey("a1", PERSON, {}), MatchKey("a2", CONTACT, {})], ["Score__c"])
    assert (person.record_id, person.object, dict(person.values)) == (ACCOUNT, "Account", {"Score__c": 7})
    assert (contact.record_id, contact.object) == (CONTACT, "")


def test_where_our_records_are_accounts_a_person_account_is_found_by_either_address() -> None:
    key = MatchKey("a1", None, {"account.owner_email": "Ann@home.example"})
    for field in ("PersonEmail", "Contact.Email"):
        fallback = MatchField(field, "account.owner_email", "email")
        [found] = connect(replace(ORG, object="Account", fallbacks=(fallback,))).match([key], [])
        assert (found.record_id, found.object, found.by) == (ACCOUNT, "", field)


def test_the_person_of_a_person_account_is_its_contact_which_a_task_can_name() -> None:
    [ann] = connect(replace(ORG, object="Account")).people(["ann@home.example"])
    assert (ann.person_id, ann.record_id) == (PERSON, ACCOUNT)
