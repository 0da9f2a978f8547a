"""The ids that a pasted text can mean: a CRM address, a record id, a task key, an account id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

_SHORT_SALESFORCE_ID = 15
_CHECK_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a question is about: its possible ids, and the destinations in which a task's key may be used."""

    ids: tuple[str, ...]
    destinations: tuple[str, ...]


def subject_of(text: str, destinations: Iterable[str]) -> Subject:
    """The ids that a pasted text can mean."""
    return Subject(_ids_in(text), tuple(destinations))


def _ids_in(text: str) -> tuple[str, ...]:
    """Every id that a text may mean: itself, or the parts of the path of an address; short Salesforce ids also long."""
    text = text.strip()
    parts = [text]
    if "://" in text:
        address = urlsplit(text)
        found = [unquote(part) for part in address.path.split("/") if part]
        # Of /lightning/r/Account/001…/view and /contacts/1/record/0-2/123 only the last id names the record.
        parts = [part for part in reversed(found) if any(letter.isdigit() for letter in part)][:1]
    return tuple(dict.fromkeys([*parts, *(_long_id(part) for part in parts)]))


def _long_id(text: str) -> str:
    """The 18 characters of a Salesforce id of 15: three letters say which of its letters are capitals."""
    if len(text) != _SHORT_SALESFORCE_ID or not text.isalnum() or not text.isascii() or not text[0].isdigit():
        return text
    blocks = (text[start : start + 5] for start in range(0, _SHORT_SALESFORCE_ID, 5))
    return text + "".join(
        _CHECK_LETTERS[sum(1 << place for place, letter in enumerate(block) if letter.isupper())] for block in blocks
    )
