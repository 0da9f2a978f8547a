"""The e-mail addresses of a contact: one primary, any number of others; each belongs to one contact only.

``idProperty=email`` finds a contact by any of them, and a new contact with any of them conflicts. Writing one of a
contact's other addresses into ``email`` makes it the primary one; the old primary becomes another address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

PRIMARY = "email"
OTHERS = "hs_additional_emails"
_ADDRESS = re.compile(r"[^@\s,;<>()\[\]\\]+@[^@\s.,;]+(\.[^@\s.,;]+)+\Z")


def is_address(text: str) -> bool:
    """Whether this looks like one e-mail address."""
    return _ADDRESS.match(text) is not None


def others_in(values: Mapping[str, str]) -> list[str]:
    """The addresses besides the primary one."""
    listed = values.get(OTHERS)
    return [each for each in listed.split(";") if each] if listed else []


def addresses_in(values: Mapping[str, str]) -> list[str]:
    """Every address in these values, the primary one first."""
    primary = values.get(PRIMARY)
    return [primary, *others_in(values)] if primary else others_in(values)


def keep_each_once(before: Mapping[str, str], changes: dict[str, str]) -> None:
    """Extend ``changes`` so that a contact has each address once; a new primary one swaps places with the old."""
    if PRIMARY not in changes and OTHERS not in changes:
        return
    primary, was = changes.get(PRIMARY, before.get(PRIMARY, "")), before.get(PRIMARY, "")
    listed = others_in(changes) if OTHERS in changes else others_in(before)
    if primary in listed and was and was != primary:
        listed.append(was)
    wanted = joined(each for each in listed if each != primary)
    if OTHERS in changes or wanted != before.get(OTHERS, ""):
        changes[OTHERS] = wanted


def joined(addresses: Iterable[str]) -> str:
    """Addresses joined to one value, each once."""
    return ";".join(dict.fromkeys(addresses))
