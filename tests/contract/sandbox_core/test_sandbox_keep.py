"""Sandbox CRMs that were stopped go on as they were: records, ids, definitions, credentials."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from connectors.sandbox.core.control import ControlError
from connectors.sandbox.serve import Credentials, running

ROOT = Path(__file__).parents[3]
SEED = {
    "salesforce": {
        "records": {
            "User": [{"Email": "ann@example.com", "Name": "Ann Lee", "_ref": "ann"}],
            "Account": [
                {"Name": "Acme", "Website": "acme.com", "OwnerId": "@ann", "_ref": "acme"},
                {"Name": "Globex"},
                {"Name": "Initech"},
            ],
            "Contact": [{"Name": "Cleo Cash", "Email": "cleo@acme.com", "AccountId": "@acme"}],
            "Opportunity": [
                {"Name": "New", "AccountId": "@acme", "StageName": "Prospecting", "CloseDate": "2026-12-31"}
            ],
        },
        "custom_fields": [
            {"FullName": "Account.Health__c", "Metadata": {"type": "Text", "label": "Health", "length": 20}}
        ],
    },
    "hubspot": {
        "owners": [{"email": "ann@example.com", "firstName": "Ann", "lastName": "Lee", "_ref": "ann"}],
        "records": {
            "companies": [
                {"properties": {"name": "Acme", "domain": "acme.com", "hubspot_owner_id": "@ann"}, "_ref": "acme"},
                {"properties": {"name": "Globex"}},
                {"properties": {"name": "Initech"}},
                {"properties": {"name": "Hooli"}},
            ],
            "contacts": [{"properties": {"email": "cleo@acme.com"}, "company": "acme.com"}],
            "deals": [
                {
                    "properties": {"dealname": "New", "dealstage": "contractsent", "pipeline": "default"},
                    "associations": ["@acme"],
                }
            ],
        },
    },
}


class Crm:
    """One sandbox CRM as its client and as the control API see it."""

    def __init__(self, where, base):
        self.where, self.url, self.base = where, where["url"], where["url"] + base
        self.http = requests.Session()

    def log_in(self):
        if "token" in self.where:
            token = self.where["token"]
        else:
            form = {name: self.where[name] for name in ("client_id", "client_secret")}
            form["grant_type"] = "client_credentials"
            answer = requests.post(f"{self.url}/services/oauth2/token", data=form, timeout=10)
            token = answer.json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        return self

    def call(self, method, path, body=None):
        answer = self.http.request(method, self.base + path, json=body, timeout=10)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def sim(self, path, body=None):
        answer = self.http.request("POST" if body else "GET", f"{self.url}/__sim/{path}", json=body, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def held(self):
        state = self.sim("state")
        return {name: state[name] for name in ("objects", "owners", "associations", "properties") if name in state}

    def ids(self, kind):
        return [one.get("id") or one["Id"] for one in self.held()["objects"][kind]]


@contextmanager
def sandboxes(seed, *arguments):
    """Both CRMs until the end of the block, where SIGTERM stops them."""
    command = [sys.executable, "-m", "connectors.sandbox", "--seed", str(seed), "--keep", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        where = json.loads(process.stdout.readline())
        yield {
            name: Crm(where[name], base).log_in()
            for name, base in (("salesforce", "/services/data/v67.0"), ("hubspot", "/crm/v3"))
            if name in where
        }
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def seed(tmp_path):
    file = tmp_path / "seed.json"
    file.write_text(json.dumps(SEED))
    file.chmod(0o644)
    return file


def work_in_salesforce(org):
    acme, globex, initech = org.ids("Account")
    field = {"FullName": "Activity.Plgsync_Key__c", "Metadata": {"type": "Text", "label": "Key", "length": 40}}
    field["Metadata"] |= {"unique": True, "externalId": True}
    org.call("POST", "/tooling/sobjects/CustomField", field)
    (permissions,) = (one["Id"] for one in org.held()["objects"]["PermissionSet"] if one["Name"].endswith("_2"))
    grant = {"ParentId": permissions, "SobjectType": "Task", "Field": "Task.Plgsync_Key__c"}
    org.call("POST", "/sobjects/FieldPermissions", {**grant, "PermissionsRead": True, "PermissionsEdit": True})
    task = {"Subject": "Call", "WhatId": acme, "ActivityDate": "2026-12-01", "Plgsync_Key__c": "k1"}
    org.call("POST", "/sobjects/Task", task)
    org.call("PATCH", f"/sobjects/Account/{acme}", {"Health__c": "good", "Industry": None})
    org.sim("mutate", {"do": "edit", "id": acme, "values": {"NumberOfEmployees": 12}})
    org.sim("mutate", {"do": "merge", "survivor": acme, "losers": [globex]})
    org.sim("mutate", {"do": "delete", "id": initech})
    stage = {"object": "Opportunity", "field": "StageName", "from": "Prospecting", "to": "First talk"}
    org.sim("mutate", {"do": "rename_picklist_value", **stage})
    org.sim("mutate", {"do": "lock_field", "object": "Account", "field": "Health__c"})
    org.sim("config", {"page_size": 700})


def work_in_hubspot(portal):
    acme, globex, initech, hooli = portal.ids("companies")
    text = {"type": "string", "fieldType": "text"}
    health = {"name": "health", "label": "Health", "groupName": "plgsync", **text}
    key = {"name": "plgsync_key", "label": "Key", "groupName": "task", "hasUniqueValue": True, **text}
    portal.call("POST", "/properties/companies/groups", {"name": "plgsync", "label": "Plgsync"})
    portal.call("POST", "/properties/companies", health)
    portal.call("POST", "/properties/companies", {**health, "name": "gone"})
    portal.call("DELETE", "/properties/companies/gone")
    portal.call("POST", "/properties/tasks", key)
    to_acme = {"to": {"id": acme}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 192}]}
    task = {"hs_timestamp": "2026-12-01T09:00:00Z", "hs_task_subject": "Call", "plgsync_key": "k1"}
    portal.call("POST", "/objects/tasks", {"properties": task, "associations": [to_acme]})
    portal.call("PATCH", f"/objects/companies/{acme}", {"properties": {"health": "good"}})
    portal.sim("mutate", {"action": "edit", "type": "companies", "id": acme, "properties": {"health": "poor"}})
    portal.sim("mutate", {"action": "merge", "type": "companies", "survivor": acme, "loser": globex})
    portal.sim("mutate", {"action": "archive", "type": "companies", "id": initech})
    stage = {"type": "deals", "name": "dealstage", "from": "qualifiedtobuy", "to": "qualified"}
    portal.sim("mutate", {"action": "rename_option", **stage})
    gone = portal.sim("mutate", {"action": "add_owner", "email": "bob@example.com"})
    portal.sim("mutate", {"action": "deactivate_owner", "id": gone["id"]})
    # The newest id is given out and goes again: it must not come back for another record.
    portal.sim("mutate", {"action": "create", "type": "companies", "properties": {"name": "Short-lived"}})
    newest = portal.ids("companies")[-1]
    portal.sim("mutate", {"action": "merge", "type": "companies", "survivor": hooli, "loser": newest})
    portal.sim("config", {"plan_max": 77})
    return globex, newest


def test_stopped_crms_start_again_with_the_same_records_definitions_and_credentials(seed):
    with sandboxes(seed) as first:
        work_in_salesforce(first["salesforce"])
        merged, newest = work_in_hubspot(first["hubspot"])
        before = {name: crm.held() for name, crm in first.items()}
        described = [first["salesforce"].call("GET", f"/sobjects/{one}/describe") for one in ("Task", "Opportunity")]
        definitions = first["hubspot"].call("GET", "/properties/deals")
        acme = first["hubspot"].ids("companies")[0]
        history = first["hubspot"].call("GET", f"/objects/companies/{acme}?propertiesWithHistory=health")
    assert stat.S_IMODE(seed.stat().st_mode) == 0o600
    assert [file.name for file in seed.parent.iterdir()] == ["seed.json"]

    with sandboxes(seed) as again:
        org, portal = again["salesforce"], again["hubspot"]
        assert {name: crm.held() for name, crm in again.items()} == before
        assert {key: org.where[key] for key in org.where.keys() - {"url"}} == {
            key: first["salesforce"].where[key] for key in org.where.keys() - {"url"}
        }
        # The old credentials, not only the ones announced now.
        for crm, old in ((org, first["salesforce"]), (portal, first["hubspot"])):
            crm.where = {**old.where, "url": crm.url}
            crm.log_in()
        assert [org.call("GET", f"/sobjects/{one}/describe") for one in ("Task", "Opportunity")] == described
        assert portal.call("GET", "/properties/deals") == definitions
        assert portal.call("GET", f"/objects/companies/{acme}?propertiesWithHistory=health") == history
        assert portal.call("GET", f"/objects/companies/{merged}")["id"] == acme
        assert org.sim("config")["page_size"] == 700
        assert portal.sim("config")["plan_max"] == 77
        denied = org.http.patch(f"{org.base}/sobjects/Account/{org.ids('Account')[0]}", json={"Health__c": "x"})
        assert denied.json()[0]["errorCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"

        # Keys still find their records, and new records get new ids.
        task = org.call("GET", "/sobjects/Task/Plgsync_Key__c/k1")
        assert task["WhatId"] == org.ids("Account")[0]
        found = portal.call("GET", "/objects/tasks/k1?idProperty=plgsync_key&associations=companies")
        assert {one["id"] for one in found["associations"]["companies"]["results"]} == {acme}
        made = org.call("POST", "/sobjects/Account", {"Name": "Soylent"})["id"]
        assert made not in [one["Id"] for one in before["salesforce"]["objects"]["Account"]]
        assert int(portal.call("POST", "/objects/companies", {"properties": {"name": "S"}})["id"]) > int(newest)


def test_a_crm_that_was_left_out_keeps_its_part_of_the_file(seed):
    with sandboxes(seed, "--only", "hubspot") as only:
        assert set(only) == {"hubspot"}
    kept = json.loads(seed.read_text())
    assert kept["salesforce"] == SEED["salesforce"]
    assert kept["credentials"]["hubspot_token"] == only["hubspot"].where["token"]


def test_time_does_not_go_back_when_a_crm_starts_again(seed):
    with sandboxes(seed) as first:
        then = {name: crm.sim("clock", {"advance_s": 86_400})["now"] for name, crm in first.items()}
    with sandboxes(seed) as again:
        assert all(crm.sim("clock")["now"] > then[name] for name, crm in again.items())


def test_credentials_of_a_seed_are_accepted_unless_others_are_given():
    seed = {"credentials": {"hubspot_token": "pat-kept"}}
    with running(seed, salesforce_port=None) as named:
        assert named["hubspot"]["token"] == "pat-kept"
    with running(seed, salesforce_port=None, credentials=Credentials("id", "secret", "pat-given")) as given:
        assert given["hubspot"]["token"] == "pat-given"


@pytest.mark.parametrize(
    ("seed", "words"),
    [
        ({"credentials": {"hubspot_tokn": "x"}}, "hubspot_tokn"),
        ({"credentials": {"hubspot_token": 5}}, "hubspot_token"),
        ({"salesforce": {"stored": {"recrods": {}}}}, "recrods"),
        ({"salesforce": {"stored": {"records": {}}}}, "not the shape of a seed"),
        ({"hubspot": {"stored": {"owners": [{"id": "1"}]}}}, "not the shape of a seed"),
        ({"hubspot": {"options": {"plan_maxx": 1}}}, "plan_maxx"),
    ],
)
def test_a_kept_file_that_is_not_what_was_written_is_refused(seed, words):
    with pytest.raises(ControlError, match=words), running(seed):
        pass


def test_keep_needs_a_seed_file_to_write_to():
    command = [sys.executable, "-m", "connectors.sandbox", "--keep"]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert refused.returncode == 2
    assert "--keep needs --seed" in refused.stderr
