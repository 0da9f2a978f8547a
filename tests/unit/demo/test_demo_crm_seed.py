"""The sandbox CRMs begin with most of the demo company, and as untidy as CRMs are."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from worker.demo.company import Company, build_company
from worker.demo.crm_seed import crm_seed
from worker.demo.staff import STAFF

AS_OF = datetime(2026, 6, 30, 6, tzinfo=UTC)
CONFIG = Path(__file__).parents[3] / "config"


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    return build_company(tmp_path_factory.mktemp("crm") / "product.duckdb", as_of=AS_OF)


@pytest.fixture(scope="module")
def seed(company: Company) -> dict[str, Any]:
    return crm_seed(company, 7)


def domains(seed: dict[str, Any], crm: str) -> list[str]:
    if crm == "hubspot":
        return [one["properties"]["domain"] for one in seed["hubspot"]["records"]["companies"]]
    sites = [one["Website"] for one in seed["salesforce"]["records"]["Account"]]
    return [site.removeprefix("https://").removeprefix("http://").removeprefix("www.").rstrip("/") for site in sites]


def test_same_company_same_seed_file(company: Company, seed: dict[str, Any]) -> None:
    assert json.dumps(crm_seed(company, 7)) == json.dumps(seed)


@pytest.mark.parametrize("crm", ["salesforce", "hubspot"])
def test_most_of_ours_some_strangers_and_one_domain_twice(company: Company, seed: dict[str, Any], crm: str) -> None:
    ours = {account.domain for account in company.accounts}
    there = Counter(domains(seed, crm))
    missing = ours - there.keys()
    assert 0.02 <= len(missing) / len(ours) <= 0.2
    assert len(there.keys() - ours) >= 10
    assert [count for count in there.values() if count > 1] == [2]


def test_crms_differ_in_what_they_miss(seed: dict[str, Any]) -> None:
    assert set(domains(seed, "salesforce")) != set(domains(seed, "hubspot"))


def test_nobody_put_our_ids_there(seed: dict[str, Any]) -> None:
    text = json.dumps(seed)
    assert "Plgsync" not in text
    assert "plgsync" not in text


def test_owners_are_the_people_accounts_and_queues_name(company: Company, seed: dict[str, Any]) -> None:
    emails = {one["Email"] for one in seed["salesforce"]["records"]["User"]}
    assert emails == {one["email"] for one in seed["hubspot"]["owners"]} == {one.email for one in STAFF}
    named = {email for a in company.accounts for email in (a.owner, a.csm) if email}
    queues = yaml.safe_load((CONFIG / "crm.yaml").read_text(encoding="utf-8"))["queues"]
    assert named | {email for queue in queues.values() for email in queue} | {"cs-lead@example.com"} <= emails
    assert [one["_ref"] for one in seed["salesforce"]["records"]["User"] if not one["IsActive"]] == ["hugo"]


def test_some_deals_are_open_and_belong_to_accounts_that_are_there(seed: dict[str, Any]) -> None:
    refs = {f"@{one.get('_ref')}" for one in seed["salesforce"]["records"]["Account"]}
    opportunities = seed["salesforce"]["records"]["Opportunity"]
    assert all(one["AccountId"] in refs for one in opportunities)
    assert 5 <= sum(not one["StageName"].startswith("Closed") for one in opportunities) <= 15
    assert any(one["StageName"].startswith("Closed") for one in opportunities)


def test_sandboxes_accept_it(seed: dict[str, Any]) -> None:
    from connectors.sandbox.hubspot.app import open_portal
    from connectors.sandbox.salesforce.app import open_org

    accepts = {"client_id": "id", "client_secret": "secret", "username": "user@example.com"}
    org = open_org(seed["salesforce"], random_seed=1, public_key=None, **accepts)
    portal = open_portal(seed["hubspot"], random_seed=1, token="token")
    assert org
    assert portal
