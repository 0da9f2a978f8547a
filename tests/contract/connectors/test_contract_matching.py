"""Matching: the one right record, or a report; never a guess, never a new company."""

from __future__ import annotations

from connectors.base import Connector, Scalar
from tests.contract.connectors.drive import companies, match_key, write_calls
from tests.contract.connectors.harness import Company, Crm


def test_the_match_field_finds_the_record_with_its_owner_and_values(crm: Crm, connector: Connector) -> None:
    ann = crm.add_owner("ann@example.com")
    stored: dict[str, Scalar] = {
        "score": 72,
        "ratio": 0.25,
        "band": "Healthy",
        "since": "2026-11-01",
        "flag": True,
        "kind": "a",
    }
    seen_at = {"seen_at": "2026-11-22T08:30:00Z"}
    [record] = crm.add_companies([Company("Acme", None, "a1", ann, {**stored, **seen_at})])
    crm.pass_time(60)
    names = [crm.field(name) for name in (*stored, *seen_at)]
    [found] = connector.match([match_key("a1")], names)
    assert (found.status, found.record_id, found.owner_id) == ("matched", record, ann)
    assert dict(found.values) == {crm.field(name): value for name, value in {**stored, **seen_at}.items()}


def test_an_empty_field_is_a_known_none(crm: Crm, connector: Connector) -> None:
    companies(crm, 1)
    crm.pass_time(60)
    [found] = connector.match([match_key("a0")], [crm.field("score"), crm.field("band")])
    assert dict(found.values) == {crm.field("score"): None, crm.field("band"): None}


def test_matching_writes_nothing_and_stays_in_order(crm: Crm, connector: Connector) -> None:
    records = companies(crm, 260)
    crm.pass_time(60)
    crm.forget_calls()
    keys = [match_key(f"a{n}") for n in reversed(range(260))] + [match_key("stranger")]
    found = connector.match(keys, [])
    assert [match.account_id for match in found] == [key.account_id for key in keys]
    assert [match.record_id for match in found] == [*reversed(records), None]
    assert found[-1].status == "missing"
    assert write_calls(crm) == 0
    assert crm.company_count() == 260


def test_a_stored_id_is_tried_first(crm: Crm, connector: Connector) -> None:
    first, second = crm.add_companies([Company("One", None, "a1"), Company("Two", None, None)])
    crm.pass_time(60)
    by_id, by_field = connector.match([match_key("a9", second), match_key("a1")], [])
    assert (by_id.record_id, by_id.by) == (second, "id")
    assert by_field.record_id == first


def test_a_stored_id_that_is_gone_falls_through_to_the_match_field(crm: Crm, connector: Connector) -> None:
    gone, here = crm.add_companies([Company("Old", "old.example"), Company("New", "new.example", "a1")])
    crm.human_deletes_company(gone)
    crm.pass_time(60)
    assert connector.match([match_key("a1", gone)], [])[0].record_id == here
    assert connector.match([match_key("a2", gone)], [])[0].status == "missing"


def test_a_merged_record_is_followed_to_its_survivor(crm: Crm, connector: Connector) -> None:
    loser, survivor = crm.add_companies([Company("Acme Inc", "acme.example"), Company("Acme", "acme2.example")])
    crm.human_merges(survivor, loser)
    crm.pass_time(60)
    [found] = connector.match([match_key("a1", loser)], [])
    assert (found.status, found.record_id) == ("matched", survivor)


def test_a_domain_is_found_however_it_is_written(crm: Crm, connector: Connector) -> None:
    written = ["acme.example", "www.bolt.example", "https://core.example", "http://www.Dune.example/de/home?x=1"]
    records = crm.add_companies([Company(f"C {n}", domain) for n, domain in enumerate(written)])
    crm.add_companies([Company("Not Acme", "notacme.example")])
    crm.pass_time(60)
    asked = ["Acme.example", "bolt.example", "www.core.example", "https://dune.example/"]
    found = connector.match([match_key(f"a{n}", domain=domain) for n, domain in enumerate(asked)], [])
    assert [match.record_id for match in found] == records


def test_two_companies_with_one_domain_are_reported_not_guessed(crm: Crm, connector: Connector) -> None:
    twins = crm.add_companies([Company("Acme", "acme.example"), Company("Acme GmbH", "acme.example")])
    crm.pass_time(60)
    [found] = connector.match([match_key("a1", domain="acme.example")], [])
    assert (found.status, found.record_id) == ("ambiguous", None)
    assert sorted(found.candidates) == sorted(twins)


def test_the_match_field_settles_what_the_domain_leaves_open(crm: Crm, connector: Connector) -> None:
    _, right = crm.add_companies([Company("Acme", "acme.example"), Company("Acme GmbH", "acme.example", "a1")])
    crm.pass_time(60)
    assert connector.match([match_key("a1", domain="acme.example")], [])[0].record_id == right


def test_a_record_that_names_another_account_is_not_taken_by_domain(crm: Crm, connector: Connector) -> None:
    [record] = crm.add_companies([Company("Acme", "acme.example", "a1")])
    crm.pass_time(60)
    first, second = connector.match([match_key(f"a{n}", domain="acme.example") for n in (1, 2)], [])
    assert first.record_id == record
    assert (second.status, second.record_id, second.candidates) == ("ambiguous", None, (record,))


def test_it_is_not_taken_either_when_the_other_account_is_not_asked_for(crm: Crm, connector: Connector) -> None:
    crm.add_companies([Company("Acme", "acme.example", "a1")])
    crm.pass_time(60)
    [found] = connector.match([match_key("a2", domain="acme.example")], [])
    assert found.record_id is None


def test_two_accounts_never_share_a_record(crm: Crm, connector: Connector) -> None:
    [record] = crm.add_companies([Company("Acme", "acme.example")])
    crm.pass_time(60)
    found = connector.match([match_key(f"a{n}", domain="acme.example") for n in (1, 2)], [])
    assert [(match.status, match.candidates) for match in found] == [("ambiguous", (record,))] * 2


def test_an_account_without_a_domain_is_missing_not_everybody(crm: Crm, connector: Connector) -> None:
    crm.add_companies([Company("No site", None), Company("Site", "site.example")])
    crm.pass_time(60)
    assert connector.match([match_key("a1")], [])[0].status == "missing"


def test_values_with_quotes_and_wildcards_match_only_themselves(crm: Crm, connector: Connector) -> None:
    odd = ["o'brien", 'say "hi"', "back\\slash", "100%", "a_b"]
    records = crm.add_companies([Company(f"C {n}", None, text) for n, text in enumerate(odd)])
    crm.add_companies([Company("axb", None, "axb")])
    crm.pass_time(60)
    assert [match.record_id for match in connector.match([match_key(text) for text in odd], [])] == records
