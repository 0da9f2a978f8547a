"""Which domains identify a company, and which many companies share."""

from __future__ import annotations

import pytest

from worker.planning.shared_domains import ONLY_LISTS, SharedDomains

SHARED = """
    gmail.com outlook.com https://mail.gmail.com/ yahoo.co.uk GMX.de icloud.com proton.me someone@web.de
    mailinator.com inbox.mailinator.com
    github.io vercel.app myshopify.com netlify.app herokuapp.com wixsite.com wordpress.com www.squarespace.com
    https://apps.apple.com/app/id1 play.google.com uk.linkedin.com facebook.com/acme sites.google.com
    localhost http://localhost:3000 app.localhost printer.local example.com www.example.org example.co.uk
    127.0.0.1 http://10.0.0.7:8080/ http://[::1]/ co.uk notion.site
"""
COMPANIES = """
    acme.io bits.example app.acme.example acme.github.io acme.myshopify.com shop.acme.co.uk acme.wordpress.com
    google.com notgmail.com gmail.com.acme.io examples.com bücher.de
"""


@pytest.mark.parametrize("text", SHARED.split())
def test_a_domain_that_many_share_identifies_nobody(text: str) -> None:
    assert ONLY_LISTS.is_shared(text)


@pytest.mark.parametrize("text", [*COMPANIES.split(), "", "  ", "n/a", "Acme Ltd", "http://[bad"])
def test_a_company_keeps_its_domain_and_a_text_without_one_is_not_shared(text: str) -> None:
    assert not ONLY_LISTS.is_shared(text)


def test_an_admin_adds_domains_with_their_subdomains_and_takes_others_off_the_lists() -> None:
    domains = SharedDomains(frozenset({"ours.io"}), frozenset({"yahoo.com"}))
    assert domains.is_shared("ours.io")
    assert domains.is_shared("https://app.ours.io/")
    assert not domains.is_shared("notours.io")
    assert not domains.is_shared("yahoo.com")
    assert domains.is_shared("gmail.com")
    assert domains.is_listed("ann@ours.io")
    assert not domains.is_listed("ann@gmail.com")
