"""Domains are compared bare, and asked for in every spelling a field may hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Connector, MatchField, MatchKey
from connectors.hubspot.describe import Schema
from connectors.hubspot.match import match, normal, spellings
from connectors.hubspot.transport import HttpResponse
from tests.contract.connectors.harness import Company
from tests.contract.connectors.harness_hubspot import HubSpotCrm
from tests.unit.connectors.hubspot.scripted import Sent, client, destination, done


@pytest.mark.parametrize(
    "written",
    [
        "acme.com",
        "ACME.com",
        " www.acme.com ",
        "https://acme.com",
        "http://www.acme.com/de?x=1",
        "acme.com:8080",
        "acme.com.",
    ],
)
def test_a_domain_is_the_same_however_it_is_written(written: str) -> None:
    assert normal("domain", written) == "acme.com"


@pytest.mark.parametrize("other", ["notacme.com", "acme.com.evil.example", "mail.acme.com", "wwwacme.com", ""])
def test_other_domains_stay_other(other: str) -> None:
    assert normal("domain", other) != "acme.com"


@given(st.from_regex(r"[a-z0-9]{1,12}(\.[a-z]{2,6}){1,2}", fullmatch=True), st.sampled_from(["domain", "website"]))
def test_every_spelling_means_the_same_domain(domain: str, field: Any) -> None:
    spelled = spellings(MatchField(field, "account.domain", "domain"), domain)
    assert domain in spelled
    assert {normal("domain", one) for one in spelled} == {normal("domain", domain)}


def test_other_kinds_are_asked_for_as_they_are() -> None:
    assert spellings(MatchField("email", "account.email", "email"), "a@b.example") == ["a@b.example"]


def test_a_hundred_values_a_search_at_most() -> None:
    def reply(sent: Sent) -> HttpResponse:
        if "read" in sent.path:
            asked = [one["id"] for one in sent.body["inputs"]]
            return done(errors=[{"category": "OBJECT_NOT_FOUND", "context": {"ids": asked}}])
        return done() if "search" in sent.path else done(described)

    described = {"name": "plgsync_account_id", "type": "string", "hasUniqueValue": True}
    settings = {"fallbacks": (MatchField("domain", "account.domain", "domain"),)}
    hubspot, wire = client(reply, fallbacks=settings["fallbacks"])
    keys = [MatchKey(f"a{n}", None, {"account.domain": f"d{n}.example"}) for n in range(120)]
    found = match(hubspot, Schema(hubspot), destination(**settings), keys, [])
    searches = [sent.body["filterGroups"][0]["filters"][0]["values"] for sent in wire.sent if "search" in sent.path]
    assert [len(values) for values in searches] == [100, 100, 40]
    assert {one.status for one in found} == {"missing"}


def test_a_match_field_that_is_not_unique_is_searched() -> None:
    def reply(sent: Sent) -> HttpResponse:
        if "search" in sent.path:
            return done({"id": "7", "properties": {"plgsync_account_id": "A1"}})
        return done({"name": "plgsync_account_id", "type": "string", "hasUniqueValue": False})

    hubspot, _ = client(reply)
    [found] = match(hubspot, Schema(hubspot), destination(), [MatchKey("A1", None, {})], [])
    assert (found.record_id, found.by) == ("7", "plgsync_account_id")


def test_a_company_another_account_has_by_its_stored_id_is_not_taken_by_domain(
    portal: HubSpotCrm, hubspot: Connector
) -> None:
    [record] = portal.add_companies([Company("Acme", "acme.example")])
    portal.pass_time(60)
    domain = {"account.domain": "acme.example"}
    first, second = hubspot.match([MatchKey("a1", record, domain), MatchKey("a2", None, domain)], [])
    assert (first.status, first.record_id) == ("matched", record)
    assert (second.status, second.candidates) == ("ambiguous", (record,))


def test_a_company_that_carries_an_account_nobody_asked_for_is_not_taken(
    portal: HubSpotCrm, hubspot: Connector
) -> None:
    [record] = portal.add_companies([Company("Acme", "acme.example", "a1")])
    portal.pass_time(60)
    [found] = hubspot.match([MatchKey("a2", None, {"account.domain": "acme.example"})], [])
    assert (found.status, found.candidates) == ("ambiguous", (record,))
