"""The sales and customer success teams of the demo company."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Colleague:
    """An owner of records in the CRMs. ``ref`` is the reference of the person in the seed file."""

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
