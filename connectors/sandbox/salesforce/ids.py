"""Salesforce record ids: 15 case-sensitive characters, or 18 with a checksum of the upper-case ones.

https://help.salesforce.com/s/articleView?id=000385585
"""

from __future__ import annotations

import string
from functools import lru_cache

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_CHECK = string.ascii_uppercase + "012345"
_INSTANCE = "5f00000"
_ALPHABET = frozenset(_BASE62)


def make_id(prefix: str, number: int) -> str:
    """The 18-character id of the ``number``-th record with this key prefix."""
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = _BASE62[rest] + digits
    return with_checksum(f"{prefix}{_INSTANCE}{digits.rjust(5, '0')}")


def with_checksum(id15: str) -> str:
    """The 18-character form of a 15-character id."""
    check = ""
    for block in (id15[0:5], id15[5:10], id15[10:15]):
        bits = sum(1 << place for place, char in enumerate(block) if "A" <= char <= "Z")
        check += _CHECK[bits]
    return id15 + check


def canonical(given: object) -> str | None:
    """The 18-character form of a 15- or 18-character id; None when it is not a well-formed id."""
    return _canonical(given) if isinstance(given, str) else None


@lru_cache(maxsize=65_536)
def _canonical(text: str) -> str | None:
    if len(text) not in (15, 18) or not _ALPHABET.issuperset(text):
        return None
    full = with_checksum(text[:15])
    return full if len(text) == 15 or text == full else None
