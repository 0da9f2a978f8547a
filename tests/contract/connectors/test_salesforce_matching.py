"""Matching in Salesforce: accounts, contacts or leads, and wherever a record has gone since."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.base import Connector, MatchField, UpdateFields
from connectors.registry import connect
from tests.contract.connectors.drive import key_of, match_key, statuses
from tests.contract.connectors.harness import Company
from tests.contract.connectors.harness_salesforce import MATCH_FIELD, SalesforceCrm
from tests.contract.connectors.test_salesforce_people import ANN, add_lead, convert, merge

pytestmark = pytest.mark.parametrize("running", ["salesforce"], indirect=True)

BY_LEAD = MatchField("Lead.Email", "account.owner_email", "email")
BY_CONTACT = MatchField("Contact.Email", "account.owner_email", "email")


def on(crm: SalesforceCrm, object: str, *fallbacks: MatchField) -> Connector:
    """A connector whose records are of another object, set up there."""
    connector = connect(replace(crm.destination(), object=object, fallbacks=fallbacks))
    connector.setup(crm.needs(), dry_run=False)
    return connector


def test_a_lead_leads_to_the_account_it_became(crm: SalesforceCrm) -> None:
    lead, [account] = add_lead(crm, ANN), crm.add_companies([Company("Acme")])
    convert(crm, lead, account=account)
    [found] = on(crm, "Account", BY_LEAD).match([match_key("a1", owner_email=ANN)], [crm.field("score")])
    assert (found.status, found.record_id, found.by, found.object) == ("matched", account, "Lead.Email", "")


def test_an_unconverted_lead_is_the_record_and_says_so(crm: SalesforceCrm) -> None:
    lead = add_lead(crm, ANN)
    [found] = on(crm, "Account", BY_LEAD).match([match_key("a1", owner_email=ANN)], [])
    assert (found.status, found.record_id, found.object) == ("matched", lead, "Lead")


def test_a_lead_and_an_account_for_one_address_are_reported(crm: SalesforceCrm) -> None:
    [account] = crm.add_companies([Company("Acme")])
    lead = add_lead(crm, ANN)
    convert(crm, add_lead(crm, ANN), account=account)
    [found] = on(crm, "Account", BY_LEAD).match([match_key("a1", owner_email=ANN)], [])
    assert (found.status, sorted(found.candidates)) == ("ambiguous", sorted([account, lead]))


def test_fallbacks_are_tried_in_the_order_written(crm: SalesforceCrm) -> None:
    by_contact, by_lead = crm.add_companies([Company("By contact"), Company("By lead")])
    crm.human_adds_person(ANN, by_contact)
    convert(crm, add_lead(crm, ANN), account=by_lead, contact=crm.human_adds_person("x@y.example", by_lead))
    asked = [match_key("a1", owner_email=ANN)]
    assert on(crm, "Account", BY_LEAD, BY_CONTACT).match(asked, [])[0].record_id == by_lead
    assert on(crm, "Account", BY_CONTACT, BY_LEAD).match(asked, [])[0].record_id == by_contact


def test_a_contact_without_an_account_leads_nowhere(crm: SalesforceCrm) -> None:
    crm.human_adds_person(ANN)
    assert on(crm, "Account", BY_CONTACT).match([match_key("a1", owner_email=ANN)], [])[0].status == "missing"


def test_a_stored_lead_that_was_converted_is_its_contact_with_the_contacts_values(crm: SalesforceCrm) -> None:
    connector = on(crm, "Lead")
    on(crm, "Contact")
    lead = add_lead(crm, ANN)
    assert connector.match([match_key("a1", lead)], [])[0].object == ""
    contact = convert(crm, lead)
    crm.mutate(do="edit", id=contact, values={crm.field("score"): 7})
    [found] = connector.match([match_key("a1", lead)], [crm.field("score")])
    assert (found.record_id, found.object, found.by) == (contact, "Contact", "id")
    assert dict(found.values) == {crm.field("score"): 7}
    [again] = connector.match([match_key("a1", contact)], [])
    assert (again.record_id, again.object) == (contact, "Contact")


def test_a_lead_that_carries_our_id_is_followed_once_converted(crm: SalesforceCrm) -> None:
    connector = on(crm, "Lead")
    lead = add_lead(crm, ANN)
    crm.mutate(do="edit", id=lead, values={MATCH_FIELD: "a1"})
    assert connector.match([match_key("a1")], [])[0].record_id == lead
    contact = convert(crm, lead)
    [found] = connector.match([match_key("a1")], [])
    assert (found.record_id, found.object) == (contact, "Contact")


def test_what_is_written_to_a_followed_record_lands_on_its_object(crm: SalesforceCrm) -> None:
    connector = on(crm, "Lead")
    on(crm, "Contact")
    leads = [add_lead(crm, f"p{n}@c0.example") for n in range(3)]
    convert(crm, leads[1])
    found = connector.match([match_key(f"a{n}", lead) for n, lead in enumerate(leads)], [])
    writes = [
        UpdateFields(key_of(one.record_id), one.object or "account", one.record_id or "", {crm.field("score"): n})
        for n, one in enumerate(found)
    ]
    assert statuses(connector.write(writes)) == ["applied"] * 3
    scores = {one["Id"]: one.get(crm.field("score")) for kind in ("Lead", "Contact") for one in crm.records(kind)}
    assert [scores[one.record_id] for one in found] == [0, 1, 2]


def test_writing_to_a_lead_converted_since_says_that_the_record_is_gone(crm: SalesforceCrm) -> None:
    connector = on(crm, "Lead")
    lead = add_lead(crm, ANN)
    convert(crm, lead)
    [outcome] = connector.write([UpdateFields("k", "account", lead, {crm.field("score"): 1})])
    assert (outcome.status, outcome.stale_record) == ("rejected", True)


def test_merged_contacts_are_followed(crm: SalesforceCrm) -> None:
    connector = on(crm, "Contact")
    loser, survivor = crm.human_adds_person("a@b.example"), crm.human_adds_person("c@d.example")
    merge(crm, survivor, loser)
    [found] = connector.match([match_key("a1", loser)], [])
    assert (found.record_id, found.object) == (survivor, "")


def test_where_our_records_are_leads_a_contact_is_found_and_says_so(crm: SalesforceCrm) -> None:
    ann = crm.human_adds_person(ANN)
    [found] = on(crm, "Lead", BY_CONTACT).match([match_key("a1", owner_email=ANN)], [])
    assert (found.record_id, found.object) == (ann, "Contact")


def test_a_fallback_that_leads_nowhere_is_refused_at_once(crm: SalesforceCrm) -> None:
    bad = replace(crm.destination(), fallbacks=(MatchField("User.Email", "account.owner_email", "email"),))
    with pytest.raises(ValueError, match=r"User\.Email does not lead to a record of Account; what does: Contact, Lead"):
        connect(bad)
