"""Domains in any spelling, and queries that stay within the CRM's limits."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.base.values import domain_of
from connectors.salesforce.soql import URI_LIMIT, in_chunks


@pytest.mark.parametrize(
    "written",
    [
        "acme.com",
        "ACME.com",
        " www.acme.com ",
        "http://acme.com",
        "https://www.acme.com/",
        "https://acme.com:8443/de/path?q=1#x",
        "acme.com/shop",
        "//acme.com",
        "acme.com.",
        "https://user@acme.com",
    ],
)
def test_one_domain_in_many_spellings(written: str) -> None:
    assert domain_of(written) == "acme.com"


@pytest.mark.parametrize("written", ["", "   ", "acme", "http://", "http://[bad", "n/a", "-"])
def test_what_is_no_domain_matches_nothing(written: str) -> None:
    assert domain_of(written) == ""


def test_a_subdomain_is_another_domain() -> None:
    assert domain_of("https://shop.acme.com") == "shop.acme.com"


@given(st.text(max_size=60))
@example(". ?")
@example("www.www.acme.com")
@example("[::ffff:1.2.3.4]")
@example("a b.com")
def test_a_domain_is_its_own_domain(written: str) -> None:
    assert domain_of(domain_of(written)) == domain_of(written)


@given(st.lists(st.text(min_size=1, max_size=80), max_size=700))
def test_no_query_outgrows_its_limit_and_no_value_is_lost(values: Any) -> None:
    start = "SELECT Id FROM Account WHERE Plgsync_Account_Id__c IN "
    queries = in_chunks(start, values)
    assert all(query.startswith(f"{start}(") and query.endswith(")") for query in queries)
    assert all(len(quote(query, safe="")) <= URI_LIMIT + 200 for query in queries)
    assert bool(queries) == bool(values)


def test_a_value_is_asked_for_once_and_quoted() -> None:
    assert in_chunks("X IN ", ["a", "o'brien", "a"]) == ["X IN ('a','o\\'brien')"]
