"""The values that a property accepts, checked in HubSpot's order, and their stored form."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping

from connectors.sandbox.hubspot.addresses import OTHERS, PRIMARY, is_address, joined
from connectors.sandbox.hubspot.errors import Violation
from connectors.sandbox.hubspot.schema import Property, Schema
from connectors.sandbox.hubspot.timestamps import milliseconds, stored_date, stored_datetime

LONGEST_TEXT = 65_536

_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?\Z")

_SEEN, _LONGEST_SEEN = 4096, 64
"""The number of valid values cached per property, and their longest length."""

Checked = tuple[dict[str, str], list[Violation]]
Check = Callable[[Property, str, Container[str]], "str | Violation"]
"""Turns a value of a property that is not empty, given the ids of the owners, into its stored form."""


def check_values(schema: Schema, values: Mapping[str, str], owners: Container[str]) -> Checked:
    """The stored forms of the valid values, and a violation for each of the others.

    A value of ``;a;b`` (append to a multi-select) keeps its leading semicolon; see `appended`.
    """
    stored: dict[str, str] = {}
    violations: list[Violation] = []
    columns = schema.prepared(_columns_of)
    for name, text in values.items():
        column = columns.get(name)
        if column is None:
            violations.append(_unwritable(schema, name))
        elif (known := column.seen.get(text)) is not None:
            stored[name] = known
        else:
            outcome = column.judge(text, owners)
            if isinstance(outcome, str):
                stored[name] = outcome
            else:
                violations.append(outcome)
    return stored, violations


class Column:
    """The check of one property. ``seen`` maps valid values to their stored forms.

    A valid value stays valid: options change only with the definition, and owners are never removed.
    """

    __slots__ = ("_check", "_definition", "seen")

    def __init__(self, definition: Property) -> None:
        self._definition = definition
        self._check = _check_of(definition)
        self.seen = {"": ""}

    def judge(self, text: str, owners: Container[str]) -> str | Violation:
        """The stored form of a value, or its violation."""
        outcome = self._check(self._definition, text, owners)
        if isinstance(outcome, str) and len(text) <= _LONGEST_SEEN:
            if len(self.seen) >= _SEEN:
                self.seen = {"": ""}
            self.seen[text] = outcome
        return outcome


def appended(current: str, added: str) -> str:
    """A multi-select's value after writing ``added``, which appends when it begins with a semicolon."""
    if not added.startswith(";"):
        return added
    chosen = [choice for choice in current.split(";") if choice]
    chosen += [choice for choice in added.split(";") if choice and choice not in chosen]
    return ";".join(chosen)


def _unwritable(schema: Schema, name: str) -> Violation:
    if schema.get(name) is None:
        return Violation(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
    return Violation(name, "READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set.')


def _columns_of(schema: Schema) -> dict[str, Column]:
    return {name: Column(definition) for name, definition in schema.writable.items()}


def _check_of(definition: Property) -> Check:
    if definition.defined_by_hubspot and definition.name in _ADDRESSES:
        return _ADDRESSES[definition.name]
    return _owner if definition.external_options else _CHECKS[definition.type]


def _text(definition: Property, text: str, _owners: Container[str]) -> str | Violation:
    if len(text) > LONGEST_TEXT:
        return Violation(definition.name, "INVALID_STRING_LENGTH", f"{text[:50]}… was too long")
    return text


def _address(definition: Property, text: str, _owners: Container[str]) -> str | Violation:
    if not is_address(text):
        return Violation(definition.name, "INVALID_EMAIL", f"Email address {text} is invalid")
    return text.lower()


def _addresses(definition: Property, text: str, _owners: Container[str]) -> str | Violation:
    listed = [each for each in text.lower().split(";") if each]
    if wrong := next((each for each in listed if not is_address(each)), None):
        return Violation(definition.name, "INVALID_EMAIL", f"Email address {wrong} is invalid")
    return (";" if text.startswith(";") else "") + joined(listed)


def _number(definition: Property, text: str, _owners: Container[str]) -> str | Violation:
    if _NUMBER.match(text):
        return text
    return Violation(definition.name, "INVALID_INTEGER", f"{text} was not a valid number.")


def _datetime(definition: Property, text: str, _owners: Container[str]) -> str | Violation:
    return stored_datetime(text) or Violation(definition.name, "INVALID_LONG", f"{text} was not a valid long.")


def _date(definition: Property, text: str, _owners: Container[str]) -> str | Violation:
    stored = stored_date(text)
    if stored is not None:
        return stored
    timestamp = milliseconds(text)
    if timestamp is None:
        return Violation(definition.name, "INVALID_LONG", f"{text} was not a valid long.")
    seconds, millis = divmod(timestamp % 86_400_000, 1000)
    at = f"{seconds // 3600}:{seconds // 60 % 60}:{seconds % 60}.{millis}"
    return Violation(definition.name, "INVALID_DATE", f"{text} is at {at} UTC, not midnight!")


def _owner(definition: Property, text: str, owners: Container[str]) -> str | Violation:
    if text in owners:
        return text
    return Violation(definition.name, "INVALID_OWNER_ID", f"Owner with id {text} does not exist")


def _choice(definition: Property, text: str, _owners: Container[str]) -> str | Violation:
    allowed = definition.allowed
    if text in allowed or all(choice in allowed for choice in text.split(";") if choice):
        return text
    message = f"{text} was not one of the allowed options: [{', '.join(allowed)}]"
    return Violation(definition.name, "INVALID_OPTION", message)


_ADDRESSES: dict[str, Check] = {PRIMARY: _address, OTHERS: _addresses}
_CHECKS: dict[str, Check] = {
    "string": _text,
    "phone_number": _text,
    "number": _number,
    "datetime": _datetime,
    "date": _date,
    "enumeration": _choice,
    "bool": _choice,
}
