"""Where a fallback may search for an account's company: on companies, or on their contacts. No I/O."""

from __future__ import annotations

CONTACT_EMAIL = "contacts.email"
"""The company of the contact that has the address, as its primary or another one."""


def check(object: str, name: str) -> None:
    """Raise `ValueError` for a field that does not lead to a record of our object."""
    if "." in name and name != CONTACT_EMAIL:
        raise ValueError(f"{name} does not lead to a record of {object}; what does: {CONTACT_EMAIL}")
