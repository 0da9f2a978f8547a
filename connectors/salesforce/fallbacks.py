"""Where a fallback may search for an account's record: on our object, or on one that refers to it. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

NEXT_TO: Mapping[tuple[str, str], tuple[str, ...]] = {
    # (our object, the searched object): the columns that refer to our record, the first non-empty one; else the row
    ("Account", "Contact"): ("AccountId",),
    ("Account", "Lead"): ("ConvertedAccountId",),
    ("Contact", "Lead"): ("ConvertedContactId",),
    ("Lead", "Contact"): (),
}


def where(object: str, name: str) -> tuple[str, str]:
    """The searched object and its column: ``Contact.Email`` is on contacts, a plain name on our own object."""
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
