"""What a property takes: HubSpot's rules in HubSpot's order, and the form a value is stored in."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping

from connectors.sandbox.hubspot.errors import Violation
from connectors.sandbox.hubspot.moments import milliseconds, stored_date, stored_datetime
from connectors.sandbox.hubspot.schema import Property, Schema

LONGEST_TEXT = 65_536

_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?\Z")
_EMAIL = re.compile(r"[^@\s,;<>()\[\]\\]+@[^@\s.,;]+(\.[^@\s.,;]+)+\Z")

Checked = tuple[dict[str, str], list[Violation]]


def check_values(schema: Schema, values: Mapping[str, str], owners: Container[str]) -> Checked:
    """Stored forms of the values that can be stored, and every violation of the others.

    A value of ``;a;b`` (append to a multi-select) keeps its leading semicolon; see `appended`.
    """
    stored: dict[str, str] = {}
    violations: list[Violation] = []
    writable = schema.writable
    for name, text in values.items():
        definition = writable.get(name)
        if definition is None:
            violations.append(_refused(schema, name))
        elif not text:
            stored[name] = ""
        else:
            outcome = _CHECKS[definition.type](definition, text, owners)
            if isinstance(outcome, str):
                stored[name] = outcome
            else:
                violations.append(outcome)
    return stored, violations


def _refused(schema: Schema, name: str) -> Violation:
    if schema.get(name) is None:
        return Violation(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
    return Violation(name, "READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set.')


def appended(current: str, added: str) -> str:
    """A multi-select's value after writing ``added``, which appends when it begins with a semicolon."""
    if not added.startswith(";"):
        return added
    chosen = [choice for choice in current.split(";") if choice]
    chosen += [choice for choice in added.split(";") if choice and choice not in chosen]
    return ";".join(chosen)


Check = Callable[[Property, str, Container[str]], "str | Violation"]


def _text(definition: Property, text: str, _owners: Container[str]) -> str | Violation:
    if len(text) > LONGEST_TEXT:
        return Violation(definition.name, "INVALID_STRING_LENGTH", f"{text[:50]}… was too long")
    if definition.name == "email" and definition.defined_by_hubspot:
        if not _EMAIL.match(text):
            return Violation(definition.name, "INVALID_EMAIL", f"Email address {text} is invalid")
        return text.lower()
    return text


def _number(definition: Property, text: str, _owners: Container[str]) -> str | Violation:
    if _NUMBER.match(text):
        return text
    return Violation(definition.name, "INVALID_INTEGER", f"{text} was not a valid number.")


def _datetime(definition: Property, text: str, _owners: Container[str]) -> str | Violation:
    stored = stored_datetime(text)
    return stored or Violation(definition.name, "INVALID_LONG", f"{text} was not a valid long.")


def _date(definition: Property, text: str, _owners: Container[str]) -> str | Violation:
    stored = stored_date(text)
    if stored is not None:
        return stored
    moment = milliseconds(text)
    if moment is None:
        return Violation(definition.name, "INVALID_LONG", f"{text} was not a valid long.")
    seconds, millis = divmod(moment % 86_400_000, 1000)
    at = f"{seconds // 3600}:{seconds // 60 % 60}:{seconds % 60}.{millis}"
    return Violation(definition.name, "INVALID_DATE", f"{text} is at {at} UTC, not midnight!")


def _choice(definition: Property, text: str, owners: Container[str]) -> str | Violation:
    if definition.external_options:
        if text in owners:
            return text
        return Violation(definition.name, "INVALID_OWNER_ID", f"Owner with id {text} does not exist")
    for choice in text.split(";"):
        if choice and choice not in definition.allowed:
            listed = ", ".join(definition.allowed)
            message = f"{text} was not one of the allowed options: [{listed}]"
            return Violation(definition.name, "INVALID_OPTION", message)
    return text


_CHECKS: dict[str, Check] = {
    "string": _text,
    "phone_number": _text,
    "number": _number,
    "datetime": _datetime,
    "date": _date,
    "enumeration": _choice,
    "bool": _choice,
}
