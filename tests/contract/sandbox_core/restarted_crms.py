"""Two CRMs to stop or kill and start again, and some work in them that leaves traces everywhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).parents[3]
SEED = {
    "salesforce": {
        "options": {"person_accounts": True},
        "custom_objects": [{"FullName": "Subscription__c", "label": "Subscription"}],
        "records": {
            "Subscription__c": [{"Name": "S-1", "Account__c": "@acme"}],
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
            {"FullName": "Account.Health__c", "Metadata": {"type": "Text", "label": "Health", "length": 20}},
            {"FullName": "Contact.Role__c", "Metadata": {"type": "Text", "label": "Role", "length": 20}},
            {
                "FullName": "Subscription__c.Account__c",
                "Metadata": {"type": "Lookup", "label": "Account", "referenceTo": "Account"},
            },
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

    def __init__(self, where: dict[str, str], base: str) -> None:
        self.where, self.url, self.base = where, where["url"], where["url"] + base
        self.http = requests.Session()

    def log_in(self) -> Crm:
        if "token" in self.where:
            token = self.where["token"]
        else:
            form = {name: self.where[name] for name in ("client_id", "client_secret")}
            form["grant_type"] = "client_credentials"
            answer = requests.post(f"{self.url}/services/oauth2/token", data=form, timeout=10)
            token = answer.json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        return self

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self.http.request(method, self.base + path, json=body, timeout=10)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def sim(self, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self.http.request("POST" if body else "GET", f"{self.url}/__sim/{path}", json=body, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def held(self) -> dict[str, Any]:
        state = self.sim("state")
        return {name: state[name] for name in ("objects", "owners", "associations", "properties") if name in state}

    def ids(self, kind: str) -> list[str]:
        return [one.get("id") or one["Id"] for one in self.held()["objects"][kind]]


@contextmanager
def sandboxes(*arguments: str, ends: Any = signal.SIGTERM) -> Iterator[dict[str, Crm]]:
    """Both CRMs until the end of the block, where a signal ends them."""
    command = [sys.executable, "-m", "connectors.sandbox", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        where = json.loads(process.stdout.readline())
        yield {
            name: Crm(where[name], base)
            for name, base in (("salesforce", "/services/data/v67.0"), ("hubspot", "/crm/v3"))
            if name in where
        }
        os.kill(process.pid, ends)
        assert process.wait(timeout=10) == (0 if ends is signal.SIGTERM else -ends)
    finally:
        process.kill()
        process.communicate()


def work_in_salesforce(org: Crm) -> None:
    acme, globex, initech = org.ids("Account")
    field: dict[str, Any] = {
        "FullName": "Activity.Plgsync_Key__c",
        "Metadata": {"type": "Text", "label": "Key", "length": 40},
    }
    field["Metadata"] |= {"unique": True, "externalId": True}
    org.call("POST", "/tooling/sobjects/CustomField", field)
    (permissions,) = (one["Id"] for one in org.held()["objects"]["PermissionSet"] if one["Name"].endswith("_2"))
    grant = {"ParentId": permissions, "SobjectType": "Task", "Field": "Task.Plgsync_Key__c"}
    org.call("POST", "/sobjects/FieldPermissions", {**grant, "PermissionsRead": True, "PermissionsEdit": True})
    task = {"Subject": "Call", "WhatId": acme, "ActivityDate": "2026-12-01", "Plgsync_Key__c": "k1"}
    org.call("POST", "/sobjects/Task", task)
    org.call("PATCH", f"/sobjects/Account/{acme}", {"Health__c": "good", "Industry": None})
    org.call("POST", "/sobjects/Account", {"LastName": "Own", "PersonEmail": "pia@own.at", "Role__pc": "buyer"})
    org.sim("mutate", {"do": "edit", "id": acme, "values": {"NumberOfEmployees": 12}})
    org.sim("mutate", {"do": "merge", "survivor": acme, "losers": [globex]})
    org.sim("mutate", {"do": "delete", "id": initech})
    stage = {"object": "Opportunity", "field": "StageName", "from": "Prospecting", "to": "First talk"}
    org.sim("mutate", {"do": "rename_picklist_value", **stage})
    org.sim("mutate", {"do": "lock_field", "object": "Account", "field": "Health__c"})
    org.sim("config", {"page_size": 700})


def work_in_hubspot(portal: Crm) -> tuple[str, str]:
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
