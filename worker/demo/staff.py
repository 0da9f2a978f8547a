"""The people of the demo company's own sales and customer success teams."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Colleague:
    """Someone who owns records in the CRMs. ``ref`` is a word to point at the person with."""

    ref: str
    email: str
    first_name: str
    last_name: str
    active: bool = True


_TEAM = (
    ("ann", "Ann", "Okafor"),
    ("bob", "Bob", "Jansen"),
    ("carol", "Carol", "Moreau"),
    ("dan", "Dan", "Novak"),
    ("erin", "Erin", "Lopez"),
    ("frank", "Frank", "Haddad"),
    ("cs-lead", "Grace", "Tanaka"),
)
GONE = Colleague("hugo", "hugo@example.com", "Hugo", "Brandt", active=False)
STAFF = (*(Colleague(ref, f"{ref}@example.com", first, last) for ref, first, last in _TEAM), GONE)
SELLERS = ("ann@example.com", "bob@example.com", "carol@example.com", "dan@example.com")
SUCCESS = ("erin@example.com", "frank@example.com", "cs-lead@example.com")
