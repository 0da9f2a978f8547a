"""A company found by the address of one of its people; a person without a company leads nowhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.base import Connector, Match, MatchField, MatchKey
from connectors.registry import connect
from tests.contract.connectors.harness import Company
from tests.contract.connectors.harness_hubspot import HubSpotCrm

BY_CONTACT = MatchField("contacts.email", "account.owner_email", "email")


def find(portal: HubSpotCrm, *emails: str) -> list[Match]:
    hubspot: Connector = connect(replace(portal.destination(), fallbacks=(BY_CONTACT,)))
    keys = [
        MatchKey(f"a{n}", None, {"account_id": f"a{n}", "account.owner_email": one}) for n, one in enumerate(emails)
    ]
    found = list(hubspot.match(keys, ["plgsync_score"]))
    hubspot.close()
    return found


def test_any_address_of_a_contact_leads_to_its_company_and_its_values(portal: HubSpotCrm) -> None:
    acme, bolt = portal.add_companies([Company("Acme", values={"score": 7}), Company("Bolt")])
    portal.human_adds_person("ann@acme.example", acme)
    bob = portal.human_adds_person("bob@bolt.example", bolt)
    portal.mutate(action="add_address", id=bob, email="bob@home.example")
    portal.pass_time(60)
    portal.forget_calls()
    first, second = find(portal, " Ann@acme.example", "bob@home.example")
    assert (first.status, first.record_id, first.by) == ("matched", acme, "contacts.email")
    assert dict(first.values) == {"plgsync_score": 7}
    assert second.record_id == bolt
    assert not any(call.write for call in portal.calls())


def test_a_contact_without_a_company_or_of_a_deleted_one_leads_nowhere(portal: HubSpotCrm) -> None:
    [gone] = portal.add_companies([Company("Gone")])
    portal.human_adds_person("ann@acme.example")
    portal.human_adds_person("bob@gone.example", gone)
    portal.human_deletes_company(gone)
    assert {one.status for one in find(portal, "ann@acme.example", "bob@gone.example", "no@x.example")} == {"missing"}


def test_two_accounts_whose_people_share_a_company_are_reported(portal: HubSpotCrm) -> None:
    [acme] = portal.add_companies([Company("Acme")])
    portal.human_adds_person("ann@acme.example", acme)
    portal.human_adds_person("bob@acme.example", acme)
    found = find(portal, "ann@acme.example", "bob@acme.example")
    assert [(one.status, one.candidates) for one in found] == [("ambiguous", (acme,))] * 2


def test_a_company_that_names_another_account_is_not_taken(portal: HubSpotCrm) -> None:
    [acme] = portal.add_companies([Company("Acme", account_id="another")])
    portal.human_adds_person("ann@acme.example", acme)
    assert find(portal, "ann@acme.example")[0].status == "ambiguous"


def test_a_fallback_that_leads_nowhere_is_refused_at_once(portal: HubSpotCrm) -> None:
    bad = replace(portal.destination(), fallbacks=(MatchField("deals.dealname", "account.name"),))
    with pytest.raises(
        ValueError, match=r"deals\.dealname does not lead to a record of companies; what does: contacts\.email"
    ):
        connect(bad)
