"""Where a fallback may look for an account's record: on our object itself, or on one that leads to it. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

NEXT_TO: Mapping[tuple[str, str], tuple[str, ...]] = {
    # (our object, where a fallback looks): the columns that lead to our record, first one filled; else the row itself
    ("Account", "Contact"): ("AccountId",),
    ("Account", "Lead"): ("ConvertedAccountId",),
    ("Contact", "Lead"): ("ConvertedContactId",),
    ("Lead", "Contact"): (),
}


def where(object: str, name: str) -> tuple[str, str]:
    """``Contact.Email`` looks on contacts, ``Lead.Email`` on leads; a plain name on our object itself."""
    source, _, column = name.rpartition(".")
    return source or object, column


def check(object: str, name: str) -> None:
    """Raise `ValueError` for a field of an object that does not lead to ours."""
    source, _ = where(object, name)
    if source != object and (object, source) not in NEXT_TO:
        known = sorted(there for here, there in NEXT_TO if here == object)
        raise ValueError(
            f"{name} does not lead to a record of {object}; what does: {', '.join(known) or 'its own fields'}"
        )
