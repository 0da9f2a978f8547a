"""The Salesforce side of the contract suite: our sandbox org over real HTTP, driven through ``/__sim``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.base import Destination, FieldNeed, MatchField, Scalar, TaskSettings
from connectors.sandbox.serve import running
from tests.contract.connectors.harness import Company, Fault, SeenTask
from tests.contract.connectors.sandbox_crm import SandboxCrm

VERSION = "67.0"
MATCH_FIELD = "Plgsync_Account_Id__c"
KEY_FIELD = "Plgsync_Key__c"
FIELDS: Mapping[str, FieldNeed] = {
    "score": FieldNeed(
        object="account", name="Health_Score__c", label="Health score", type="number", precision=3, scale=0
    ),
    "ratio": FieldNeed(object="account", name="Seat_Ratio__c", label="Seat ratio", type="number", precision=5, scale=2),
    "band": FieldNeed(object="account", name="Health_Band__c", label="Health band", type="string", length=16),
    "since": FieldNeed(object="account", name="Band_Since__c", label="Band since", type="date"),
    "seen_at": FieldNeed(object="account", name="Last_Seen__c", label="Last seen", type="datetime"),
    "flag": FieldNeed(object="account", name="Is_Pql__c", label="Is PQL", type="bool"),
    "kind": FieldNeed(object="account", name="Pql_Kind__c", label="PQL kind", type="enum", options=("a", "b")),
}
KEYS = (
    FieldNeed(object="account", name=MATCH_FIELD, label="plgsync account id", type="string", length=64, unique=True),
    FieldNeed(object="task", name=KEY_FIELD, label="plgsync key", type="string", length=64, unique=True),
)
WRITES = r"/composite/sobjects"
READS = r"/query|/describe|/limits|/composite$"
EXPIRED = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
LOCKED = {"index": 3, "code": "UNABLE_TO_LOCK_ROW", "message": "unable to obtain exclusive access to this record"}

FAULTS: Mapping[Fault, dict[str, Any]] = {
    "answer_lost": {"kind": "drop_after", "match": {"path_regex": WRITES}},
    "answer_lost_midway": {"kind": "partial_then_drop", "args": {"k": 9}, "match": {"path_regex": WRITES}},
    "connection_lost": {"kind": "drop_before", "match": {"path_regex": WRITES}},
    "unavailable": {"kind": "status", "args": {"status": 503, "text": "<html>"}, "match": {"path_regex": WRITES}},
    "unavailable_reads": {"kind": "status", "args": {"status": 503}, "match": {"path_regex": READS, "every": 1}},
    "token_expired": {"kind": "session_expire", "match": {"path_regex": "/services/data"}},
    "access_revoked": {
        "kind": "status",
        "args": {"status": 401, "body": EXPIRED},
        "match": {"path_regex": "/services/data", "every": 1},
    },
    "quota_exhausted": {"kind": "quota_exhausted", "match": {"path_regex": "/services/data", "every": 1}},
    "own_key_race": {"kind": "dup_race", "match": {"path_regex": f"{WRITES}/Task/"}},
    "own_record_race": {"kind": "dup_race", "match": {"path_regex": f"{WRITES}/Account/"}},
    "row_locked": {"kind": "record_error", "args": LOCKED, "match": {"path_regex": WRITES}},
    "garbled_answer": {"kind": "truncate", "args": {"bytes": 40}, "match": {"path_regex": WRITES}},
}


class SalesforceCrm(SandboxCrm):
    """One sandbox org."""

    kind = "salesforce"
    batch = 200

    def destination(self) -> Destination:
        return Destination(
            name="salesforce",
            kind="salesforce",
            base_url=self.url,
            api_version=VERSION,
            auth={
                "method": "client_credentials",
                "client_id": self.address["client_id"],
                "client_secret": lambda: self.address["client_secret"],
            },
            object="Account",
            match_field=MATCH_FIELD,
            fallbacks=(MatchField("Website", "account.domain", "domain"),),
            tasks=TaskSettings(KEY_FIELD),
        )

    # ---- fields
    def needs(self) -> Sequence[FieldNeed]:
        return [*KEYS, *FIELDS.values()]

    def field(self, logical: str) -> str:
        return FIELDS[logical].name

    def refused(self) -> tuple[str, Scalar]:
        return self.field("band"), "secret words beyond sixteen characters"

    # ---- seeding
    def add_companies(self, companies: Sequence[Company]) -> list[str]:
        made = [{"do": "create", "object": "Account", "values": self._record(one)} for one in companies]
        return [one["id"] for one in self.control("mutate", made)]

    def add_owner(self, email: str, active: bool = True) -> str:
        first = email.partition("@")[0].title()
        person = {"Username": email, "Email": email, "FirstName": first, "LastName": "Example", "Alias": first[:8]}
        profile = self.records("Profile")[0]["Id"]
        return self._create("User", {**person, "ProfileId": profile, "IsActive": active})

    def add_deal(self, record_id: str, amount: float | None = None) -> str:
        deal = {"Name": "Deal", "AccountId": record_id, "StageName": "Qualification", "CloseDate": "2026-12-31"}
        return self._create("Opportunity", {**deal, "Amount": amount})

    def new_company(self, account_id: str, name: str) -> Mapping[str, Scalar]:
        return {MATCH_FIELD: account_id, "Name": name}

    # ---- what is in the CRM
    def companies_of(self, account_id: str) -> list[str]:
        accounts = self.records("Account")
        return [one["Id"] for one in accounts if one.get(MATCH_FIELD) == account_id and not one["IsDeleted"]]

    def company_name(self, record_id: str) -> str:
        return next(str(one["Name"]) for one in self.records("Account") if one["Id"] == record_id)

    def company(self, record_id: str) -> Mapping[str, Scalar]:
        record = self.records_by_id("Account", "Id")[record_id]
        return {name: _typed(name, record.get(need.name)) for name, need in FIELDS.items()}

    def company_count(self) -> int:
        return sum(not one["IsDeleted"] for one in self.records("Account"))

    def tasks(self) -> Sequence[SeenTask]:
        return [_seen(one) for one in self.records("Task")]

    def is_write(self, method: str, path: str) -> bool:
        return method != "GET" and "/oauth2/" not in path and not path.endswith("/composite")

    # ---- a human in the UI
    def human_edits(self, record_id: str, logical: str, value: Scalar) -> None:
        self._edit(record_id, {self.field(logical): value})

    def human_reassigns(self, record_id: str, owner_id: str) -> None:
        self._edit(record_id, {"OwnerId": owner_id})

    def human_deletes_company(self, record_id: str) -> None:
        self.mutate(do="delete", id=record_id)

    def human_merges(self, survivor: str, loser: str) -> None:
        self.mutate(do="merge", survivor=survivor, losers=[loser])

    def human_wins_deal(self, deal_id: str) -> None:
        self._edit(deal_id, {"StageName": "Closed Won"})

    def human_renames_company(self, record_id: str, name: str) -> None:
        self._edit(record_id, {"Name": name})

    def human_adds_person(self, email: str, record_id: str | None = None) -> str:
        return self._create("Contact", {"LastName": "Lee", "Email": email, "AccountId": record_id})

    def human_deletes_person(self, person_id: str) -> None:
        self.mutate(do="delete", id=person_id)

    def human_completes_task(self, task_id: str) -> None:
        self._edit(task_id, {"Status": "Completed"})

    def human_starts_task(self, task_id: str) -> None:
        self._edit(task_id, {"Status": "In Progress"})

    def human_retitles_task(self, task_id: str, subject: str) -> None:
        self._edit(task_id, {"Subject": subject})

    def human_deletes_task(self, task_id: str) -> None:
        self.mutate(do="delete", id=task_id)

    def admin_hides_field(self, logical: str) -> None:
        self.mutate(do="hide_field", object="Account", field=self.field(logical))

    def admin_tracks_fields(self, *logical: str) -> None:
        self.control("config", {"tracked_fields": {"Account": [self.field(one) for one in logical]}})

    # ---- a bad day
    def arm(self, fault: Fault) -> None:
        self.control("faults", FAULTS[fault])

    def _create(self, object: str, fields: Mapping[str, Any]) -> str:
        return str(self.mutate(do="create", object=object, values=dict(fields))["id"])

    def _edit(self, record_id: str, fields: Mapping[str, Any]) -> None:
        self.mutate(do="edit", id=record_id, values=dict(fields))

    def _record(self, company: Company) -> dict[str, Any]:
        values: dict[str, Scalar] = {
            "Name": company.name,
            "Website": company.domain,
            MATCH_FIELD: company.account_id,
            "OwnerId": company.owner_id,
        }
        values |= {self.field(name): value for name, value in company.values.items()}
        return {name: value for name, value in values.items() if value is not None}


def start() -> SalesforceCrm:
    return SalesforceCrm(running(hubspot_port=None))


def _typed(logical: str, stored: Scalar) -> Scalar:
    if FIELDS[logical].type == "datetime" and stored:
        return str(stored)[:19] + "Z"
    return stored


def _seen(task: Mapping[str, Any]) -> SeenTask:
    began: Any = "completed" if task.get("IsClosed") else "open" if task["Status"] == "Not Started" else "in_progress"
    return SeenTask(
        id=task["Id"],
        key=task.get(KEY_FIELD) or "",
        record_id=task.get("WhatId"),
        subject=task.get("Subject") or "",
        body=task.get("Description") or "",
        status="deleted" if task["IsDeleted"] else began,
        owner_id=task.get("OwnerId"),
        person_id=task.get("WhoId"),
    )
