"""Where a fallback may look for an account's company: on companies, or on the contacts that lead to them. No I/O."""

from __future__ import annotations

CONTACT_EMAIL = "contacts.email"
"""The company of the contact who has the address, primary or not."""


def check(object: str, name: str) -> None:
    """Raise `ValueError` for a field that leads to no record of our object."""
    if "." in name and name != CONTACT_EMAIL:
        raise ValueError(f"{name} does not lead to a record of {object}; what does: {CONTACT_EMAIL}")
