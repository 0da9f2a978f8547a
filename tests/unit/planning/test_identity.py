"""What an account may be found by, and why some of its values are left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from worker.planning.identity import Identity, identities
from worker.planning.shared_domains import SharedDomains
from worker.settings.crm import AccountMatch

DOMAIN = {"field": "domain", "with": "account.domain", "kind": "domain"}
EMAIL = {"field": "contacts.email", "with": "account.billing_email", "kind": "email"}


def found(accounts: Mapping[str, Mapping[str, Any]], *fallbacks: Mapping[str, str], **more: Any) -> dict[str, Identity]:
    match = AccountMatch.model_validate(
        {"object": "companies", "match_field": "our_id", "fallbacks": list(fallbacks), **more}
    )
    return identities(match, SharedDomains(frozenset({"reseller.io"})), accounts)


def test_a_shared_domain_is_left_out_with_the_reason_and_makes_no_record() -> None:
    accounts = {"a": {"account.domain": "gmail.com"}, "b": {"account.domain": "acme.io"}, "c": {}}
    assert found(accounts, DOMAIN) == {
        "a": Identity({}, "gmail.com belongs to nobody: not matched by it", "gmail.com belongs to nobody"),
        "b": Identity({"account.domain": "acme.io"}),
        "c": Identity(),
    }


def test_a_domain_compared_as_text_and_one_only_written_into_a_new_record_count_too() -> None:
    accounts = {"a": {"account.domain": "gmail.com"}}
    exact = {"field": "domain", "with": "account.domain"}
    assert found(accounts, exact)["a"].values == {}
    created = found(accounts, create_missing=True, create={"domain": "account.domain"})
    assert created["a"].not_made == "gmail.com belongs to nobody"
    assert found(accounts, create_missing=True, create={"name": "account.name"})["a"] == Identity()


def test_an_address_of_several_accounts_identifies_none_of_them_and_is_never_shown() -> None:
    accounts = {
        "a": {"account.billing_email": "Bills@agency.io "},
        "b": {"account.billing_email": "bills@agency.io", "account.domain": "b.io"},
        "c": {"account.billing_email": "info@c.io"},
        "d": {"account.billing_email": "ann@gmail.com"},
        "e": {"account.billing_email": "x@reseller.io"},
    }
    by_account = found(accounts, DOMAIN, EMAIL)
    why = "account.billing_email is the address of several accounts"
    assert by_account["a"] == Identity({}, f"{why}: not matched by it", why)
    assert by_account["b"] == Identity({"account.domain": "b.io"}, f"{why}: not matched by it")
    assert by_account["c"].values == {"account.billing_email": "info@c.io"}
    assert by_account["d"].values == {"account.billing_email": "ann@gmail.com"}, "a person's address"
    assert by_account["e"].not_made == "account.billing_email is an address at reseller.io, which belongs to nobody"
    assert "agency" not in str([one.shared for one in by_account.values()])


MAIL = ["gmail.com", " GMail.com", "https://www.googlemail.com/x", "mailinator.com"]
SHARED = [*MAIL, "WIX.com", "github.io", "apps.apple.com", "10.0.0.1", "localhost", "web.example.com", "a.reseller.io"]


@given(st.dictionaries(st.integers(0, 59), st.sampled_from(SHARED), max_size=30), st.booleans())
def test_of_any_share_of_shared_domains_each_is_left_out_and_the_others_are_found(
    damaged: Mapping[int, str], created: bool
) -> None:
    more = {"create_missing": True, "create": {"domain": "account.domain"}} if created else {}
    domains = {str(number): damaged.get(number, f"https://www.acme-{number}.io/") for number in range(60)}
    by_account = found({account: {"account.domain": domain} for account, domain in domains.items()}, DOMAIN, **more)
    for account, domain in domains.items():
        identity = by_account[account]
        if int(account) in damaged:
            assert identity.values == {}
            assert identity.not_made.endswith("belongs to nobody")
            assert identity.shared.startswith(identity.not_made)
        else:
            assert identity == Identity({"account.domain": domain})
