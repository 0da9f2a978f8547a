"""The first records of both sandbox CRMs: most accounts of the product, and companies it does not know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from random import Random
from typing import Any

from worker.demo.company import Company
from worker.demo.life import Life
from worker.demo.names import companies
from worker.demo.staff import SELLERS, STAFF

_STRANGERS = 24
"""Companies that only the CRMs hold."""

_IN_CRM = {"paying": 0.98, "other": 0.88}
_SITES = ("https://www.{}", "https://{}/", "http://{}", "www.{}", "{}")
_INDUSTRY = {
    "software": "Technology",
    "finance": "Finance",
    "logistics": "Transportation",
    "retail": "Retail",
    "health": "Healthcare",
    "manufacturing": "Manufacturing",
    "education": "Education",
    "hospitality": "Hospitality",
}
_COUNTRY = {
    "US": "United States",
    "GB": "United Kingdom",
    "DE": "Germany",
    "FR": "France",
    "IN": "India",
    "BR": "Brazil",
    "AU": "Australia",
}

# (persona, deals, Salesforce stage, HubSpot stage)
_DEALS = (
    ("ripening", 2, "Qualification", "qualifiedtobuy"),
    ("asking", 1, "Prospecting", "appointmentscheduled"),
    ("growing", 4, "Negotiation/Review", "contractsent"),
    ("renewing", 3, "Proposal/Price Quote", "presentationscheduled"),
    ("steady", 8, "Closed Won", "closedwon"),
    ("hobby", 3, "Closed Lost", "closedlost"),
)
_TWICE = "ripening"
"""One account of this persona has two records in both CRMs, as a trade fair may leave behind."""

_REF = {colleague.email: colleague.ref for colleague in STAFF}


def crm_seed(company: Company, seed: int) -> dict[str, Any]:
    """The seed file of both sandboxes: ``{"salesforce": {...}, "hubspot": {...}}``, the same for the same company.

    Owners are the colleagues whom accounts and queues name, one of them inactive. Neither CRM holds account ids yet:
    records match by domain, and two records share one domain.
    """
    people = [life for life in company.accounts if not life.internal]
    strangers = _strangers(company, seed)
    chance = Random(f"{seed}/crm")  # noqa: S311 - sample data, not a secret
    doubled = next((life for life in people if life.persona == _TWICE), people[0])
    deals = list(_deals(people, doubled))
    involved = {life.account_id for life, _, _ in deals} | {doubled.account_id}
    return {
        "salesforce": _salesforce(company, _known(people, involved, chance), strangers, deals, doubled, chance),
        "hubspot": _hubspot(company, _known(people, involved, chance), strangers, deals, doubled, chance),
    }


def _known(people: Sequence[Life], involved: set[str], chance: Random) -> list[Life]:
    """The accounts that one CRM holds: nearly every paying one, most others, and every one with a deal."""
    known = []
    for life in people:
        paying = life.plan is not None and life.plan.plan in {"pro", "enterprise"}
        share = _IN_CRM["paying" if paying else "other"]
        if chance.random() < share or life.account_id in involved:
            known.append(life)
    return known


def _deals(people: Sequence[Life], doubled: Life) -> Iterator[tuple[Life, str, str]]:
    for persona, number, stage, dealstage in _DEALS:
        candidates = [life for life in people if life.persona == persona and life is not doubled]
        for life in candidates[:number]:
            yield life, stage, dealstage


def _strangers(company: Company, seed: int) -> list[tuple[str, str, str]]:
    taken = {life.domain for life in company.accounts}
    made = companies(Random(f"{seed}/strangers"))  # noqa: S311 - sample data, not a secret
    found: list[tuple[str, str, str]] = []
    while len(found) < _STRANGERS:
        name, domain, industry = next(made)
        if domain not in taken:
            found.append((name, domain, industry))
    return found


def _owner_ref(life: Life, chance: Random) -> str:
    """The owner of a record: that of the product data, else a random seller."""
    return f"@{_REF[life.owner or chance.choice(SELLERS)]}"


# ---------------------------------------------------------------------------- Salesforce


def _salesforce(
    company: Company,
    known: Sequence[Life],
    strangers: Sequence[tuple[str, str, str]],
    deals: Sequence[tuple[Life, str, str]],
    doubled: Life,
    chance: Random,
) -> dict[str, Any]:
    records = [_salesforce_account(life, chance) for life in known]
    records.append({"Name": f"{doubled.name} (trade fair)", "Website": f"https://{doubled.domain}", "OwnerId": "@bob"})
    records += [
        {
            "Name": name,
            "Website": chance.choice(_SITES).format(domain),
            "Industry": _INDUSTRY[industry],
            "OwnerId": f"@{_REF[chance.choice(SELLERS)]}",
        }
        for name, domain, industry in strangers
    ]
    opportunities = [
        {
            "AccountId": f"@{life.account_id}",
            "Name": f"{life.name} {'renewal' if life.persona == 'renewing' else 'new seats'}",
            "StageName": stage,
            "Amount": 1200 * chance.randint(1, 20),
            "CloseDate": (company.as_of + timedelta(days=chance.randint(5, 60))).date().isoformat(),
        }
        for life, stage, _ in deals
    ]
    users = [
        {
            "_ref": one.ref,
            "FirstName": one.first_name,
            "LastName": one.last_name,
            "Email": one.email,
            "IsActive": one.active,
        }
        for one in STAFF
    ]
    return {"records": {"User": users, "Account": records, "Opportunity": opportunities}}


def _salesforce_account(life: Life, chance: Random) -> dict[str, Any]:
    record: dict[str, Any] = {
        "_ref": life.account_id,
        "Name": life.name,
        "Website": chance.choice(_SITES).format(life.domain),
        "OwnerId": _owner_ref(life, chance),
    }
    if life.industry:
        record["Industry"] = _INDUSTRY[life.industry]
    if life.employees:
        record["NumberOfEmployees"] = life.employees
    if life.country:
        record["BillingCountry"] = _COUNTRY[life.country]
    return record


# ---------------------------------------------------------------------------- HubSpot


def _hubspot(
    company: Company,
    known: Sequence[Life],
    strangers: Sequence[tuple[str, str, str]],
    deals: Sequence[tuple[Life, str, str]],
    doubled: Life,
    chance: Random,
) -> dict[str, Any]:
    records = [_hubspot_company(life, chance) for life in known]
    records.append({"properties": {"name": f"{doubled.name} (trade fair)", "domain": doubled.domain}})
    records += [
        {"properties": {"name": name, "domain": domain, "hubspot_owner_id": f"@{_REF[chance.choice(SELLERS)]}"}}
        for name, domain, _ in strangers
    ]
    sales = [
        {
            "properties": {
                "dealname": f"{life.name} {'renewal' if life.persona == 'renewing' else 'new seats'}",
                "amount": str(1200 * chance.randint(1, 20)),
                "pipeline": "default",
                "dealstage": stage,
                "closedate": (company.as_of + timedelta(days=chance.randint(5, 60))).date().isoformat(),
            },
            "associations": [f"@{life.account_id}"],
        }
        for life, _, stage in deals
    ]
    owners = [
        {
            "_ref": one.ref,
            "email": one.email,
            "firstName": one.first_name,
            "lastName": one.last_name,
            "archived": not one.active,
        }
        for one in STAFF
    ]
    return {"owners": owners, "records": {"companies": records, "deals": sales}}


def _hubspot_company(life: Life, chance: Random) -> dict[str, Any]:
    properties: dict[str, str] = {"name": life.name, "domain": life.domain}
    if life.owner is not None or chance.random() < 0.5:
        properties["hubspot_owner_id"] = _owner_ref(life, chance)
    if life.employees:
        properties["numberofemployees"] = str(life.employees)
    if life.country:
        properties["country"] = _COUNTRY[life.country]
    return {"_ref": life.account_id, "properties": properties}
