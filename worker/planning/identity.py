"""What identifies each account in a CRM: the values of its fallbacks, without those that it shares with others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from connectors.base import MatchField
from connectors.base.values import email_address, host_of
from worker.language.values import Fields
from worker.planning.shared_domains import SharedDomains
from worker.settings.crm import AccountMatch

_DOMAIN = "account.domain"


@dataclass(frozen=True, slots=True)
class Identity:
    """The values by which an account may be found, by account field.

    ``shared`` says why other values are left out; it contains no address of a person. ``not_made`` says why the account
    gets no new record: its domain is shared, or nothing is left that identifies it.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    shared: str = ""
    not_made: str = ""


def identities(account: AccountMatch, shared: SharedDomains, accounts: Mapping[str, Fields]) -> dict[str, Identity]:
    """The identity of every account, by its id."""
    fallbacks = account.match_fallbacks()
    emails = {one.account_field for one in fallbacks if one.kind == "email"}
    used = Counter(
        (name, address)
        for fields in accounts.values()
        for name in emails
        if (address := email_address(fields.get(name)))
    )
    domains = {one.account_field for one in fallbacks if _is_domain(one)}
    domains |= {_DOMAIN} & set(account.create.values())
    return {
        account_id: _identity(fallbacks, fields, list(_shared_domains(fields, domains, shared)), shared, used)
        for account_id, fields in accounts.items()
    }


def _is_domain(fallback: MatchField) -> bool:
    return fallback.kind == "domain" or (fallback.kind == "exact" and fallback.account_field == _DOMAIN)


def _shared_domains(fields: Fields, names: Iterable[str], shared: SharedDomains) -> Iterator[str]:
    """The account fields whose domain is shared."""
    return (name for name in sorted(names) if shared.is_shared(_text(fields, name)))


def _identity(
    fallbacks: Iterable[MatchField],
    fields: Fields,
    domains: list[str],
    shared: SharedDomains,
    used: Mapping[tuple[str, str], int],
) -> Identity:
    values: dict[str, str] = {}
    reasons = {f"{host_of(_text(fields, name))} belongs to nobody": None for name in domains}
    for one in fallbacks:
        text, name = _text(fields, one.account_field), one.account_field
        if not text or (_is_domain(one) and name in domains):
            continue
        if one.kind == "email" and used[name, email_address(text)] > 1:
            reasons[f"{name} is the address of several accounts"] = None
        elif one.kind == "email" and shared.is_listed(text):
            reasons[f"{name} is an address at {host_of(text)}, which belongs to nobody"] = None
        else:
            values[name] = text
    why = "; ".join(reasons)
    return Identity(values, f"{why}: not matched by it" if why else "", why if domains or not values else "")


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    return "" if value is None else str(value)
