"""The HubSpot side of the contract suite: our sandbox portal over real HTTP, driven through ``/__sim``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from connectors.base import Destination, FieldNeed, MatchField, Scalar, TaskSettings
from connectors.sandbox.serve import Addresses, running
from tests.contract.connectors.faults_hubspot import FAULTS, KEY_FIELD, MATCH_FIELD
from tests.contract.connectors.harness import Company, Fault, SeenTask
from tests.contract.connectors.sandbox_crm import SandboxCrm
from tests.contract.connectors.shown_hubspot import TYPES, bare, seen, text, typed, writes


class HubSpotCrm(SandboxCrm):
    """One sandbox portal."""

    kind = "hubspot"
    batch = 100

    def __init__(self, server: AbstractContextManager[Addresses]) -> None:
        super().__init__(server)
        self._token = self.address["token"]
        self._tokens = 0

    def reset(self) -> None:
        self._token = self.address["token"]
        super().reset()

    def destination(self) -> Destination:
        return Destination(
            name="hubspot",
            kind="hubspot",
            base_url=self.url,
            api_version="2026-03",
            auth={"method": "token", "token": lambda: self._token},
            object="companies",
            match_field=MATCH_FIELD,
            fallbacks=(MatchField("domain", "account.domain", "domain"),),
            tasks=TaskSettings(KEY_FIELD),
        )

    # ---- fields
    def needs(self) -> Sequence[FieldNeed]:
        scales = {"score": 0, "ratio": 2}
        return [
            FieldNeed(object="account", name=MATCH_FIELD, label="Account ID", type="string", length=64, unique=True),
            FieldNeed(object="task", name=KEY_FIELD, label="Key", type="string", length=64, unique=True),
            *(
                FieldNeed(
                    object="account",
                    name=self.field(name),
                    label=name,
                    type=type_,  # type: ignore[arg-type]
                    scale=scales.get(name),
                    options=("a", "b") if type_ == "enum" else (),
                )
                for name, type_ in TYPES.items()
            ),
        ]

    def field(self, logical: str) -> str:
        return f"plgsync_{logical}"

    def refused(self) -> tuple[str, Scalar]:
        return self.field("score"), "secret4711"

    # ---- seeding
    def add_companies(self, companies: Sequence[Company]) -> list[str]:
        before = {one["id"] for one in self.records("companies")}
        self.control("seed", {"records": {"companies": [{"properties": self._properties(one)} for one in companies]}})
        ids = sorted((one["id"] for one in self.records("companies") if one["id"] not in before), key=int)
        stamps = [
            {"id": id_, "properties": {MATCH_FIELD: one.account_id}}
            for id_, one in zip(ids, companies, strict=True)
            if one.account_id
        ]
        for start in range(0, len(stamps), self.batch):
            # By our own app, as if an earlier run had put the account ids there.
            self.http.post(
                f"{self.url}/crm/objects/2026-03/companies/batch/update",
                json={"inputs": stamps[start : start + self.batch]},
                headers={"Authorization": f"Bearer {self._token}"},
                timeout=30,
            ).raise_for_status()
        return ids

    def add_owner(self, email: str, active: bool = True) -> str:
        first_name = email.partition("@")[0].title()
        owner = self.mutate(action="add_owner", email=email, firstName=first_name, lastName="Example")
        if not active:
            self.mutate(action="deactivate_owner", id=owner["id"])
        return str(owner["id"])

    def add_deal(self, record_id: str, amount: float | None = None) -> str:
        properties = {"dealname": "Deal", "dealstage": "qualifiedtobuy", "pipeline": "default"}
        if amount is not None:
            properties["amount"] = str(amount)
        return str(self.mutate(action="create", type="deals", properties=properties, company=record_id)["id"])

    def new_company(self, account_id: str, name: str) -> Mapping[str, Scalar]:
        return {MATCH_FIELD: account_id, "name": name}

    # ---- what is in the CRM
    def companies_of(self, account_id: str) -> list[str]:
        everyone = self.records("companies")
        return [
            one["id"] for one in everyone if one["properties"].get(MATCH_FIELD) == account_id and not one["archived"]
        ]

    def company_name(self, record_id: str) -> str:
        return self.properties(record_id).get("name", "")

    def company(self, record_id: str) -> Mapping[str, Scalar]:
        values = self.properties(record_id)
        return {name: typed(name, values.get(self.field(name)) or "") for name in TYPES}

    def company_count(self) -> int:
        return sum(not one["archived"] for one in self.records("companies"))

    def tasks(self) -> Sequence[SeenTask]:
        state = self.state()
        tied = {
            (one["from"]["id"], one["to"]["type"]): one["to"]["id"]
            for one in state["associations"]
            if one["from"]["type"] == "tasks"
        }
        return [
            seen(one, tied.get((one["id"], "companies")), tied.get((one["id"], "contacts")))
            for one in state["objects"]["tasks"]
        ]

    def is_write(self, method: str, path: str) -> bool:
        return writes(method, path)

    # ---- a human in the UI
    def human_edits(self, record_id: str, logical: str, value: Scalar) -> None:
        self._edit("companies", record_id, {self.field(logical): value})

    def human_reassigns(self, record_id: str, owner_id: str) -> None:
        self._edit("companies", record_id, {"hubspot_owner_id": owner_id})

    def human_deletes_company(self, record_id: str) -> None:
        self.mutate(action="archive", type="companies", id=record_id)

    def human_merges(self, survivor: str, loser: str) -> None:
        self.mutate(action="merge", type="companies", survivor=survivor, loser=loser)

    def human_wins_deal(self, deal_id: str) -> None:
        self.mutate(action="win_deal", id=deal_id)

    def human_renames_company(self, record_id: str, name: str) -> None:
        self.mutate(action="edit", type="companies", id=record_id, properties={"name": name})

    def human_adds_person(self, email: str, record_id: str | None = None) -> str:
        home = {"company": record_id} if record_id else {}
        return str(self.mutate(action="create", type="contacts", properties={"email": email}, **home)["id"])

    def human_deletes_person(self, person_id: str) -> None:
        self.mutate(action="archive", type="contacts", id=person_id)

    def human_completes_task(self, task_id: str) -> None:
        self.mutate(action="complete_task", id=task_id)

    def human_starts_task(self, task_id: str) -> None:
        self.mutate(action="start_task", id=task_id)

    def human_retitles_task(self, task_id: str, subject: str) -> None:
        self._edit("tasks", task_id, {"hs_task_subject": subject})

    def human_deletes_task(self, task_id: str) -> None:
        self.mutate(action="archive", type="tasks", id=task_id)

    def admin_hides_field(self, logical: str) -> None:
        self.mutate(action="archive_property", type="companies", name=self.field(logical))

    def admin_tracks_fields(self, *logical: str) -> None: ...

    # ---- a bad day
    def arm(self, fault: Fault) -> None:
        match fault:
            case "token_expired":
                self._tokens += 1
                self._token = f"pat-eu1-rotated-{self._tokens}"
                self.control("config", {"token": self._token})
            case "access_revoked":
                self.control("config", {"token_revoked": True})
            case "quota_exhausted":
                self.control("config", {"daily_used": 250_000})
            case _:
                self.control("faults", FAULTS[fault])

    def _edit(self, type_: str, record_id: str, values: Mapping[str, Scalar]) -> None:
        properties = {name: text(value) for name, value in values.items()}
        self.mutate(action="edit", type=type_, id=record_id, properties=properties)

    def properties(self, record_id: str) -> dict[str, str]:
        return dict(self.records_by_id("companies", "id")[record_id]["properties"])

    def _properties(self, company: Company) -> dict[str, str]:
        values: dict[str, Scalar] = {
            "name": company.name,
            "domain": bare(company.domain) if company.domain else None,
            "hubspot_owner_id": company.owner_id,
        }
        values |= {self.field(name): value for name, value in company.values.items()}
        return {name: text(value) for name, value in values.items() if value is not None}


def start() -> HubSpotCrm:
    return HubSpotCrm(running(salesforce_port=None))
