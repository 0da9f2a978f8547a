"""Who is in the CRM: the records of our accounts, the people of a record, the owners of tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from connectors.base.fields import Scalar

MatchStatus = Literal["matched", "missing", "ambiguous"]


@dataclass(frozen=True, slots=True)
class MatchKey:
    """What is known of one account for finding its record.

    ``record_id`` is the id stored from an earlier match; ``values`` maps ``MatchField.account_field``
    names (and ``account_id``) to the account's values; unknown values are left out.
    """

    account_id: str
    record_id: str | None
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Where one account lives in the CRM.

    ``record_id`` is set only when ``status`` is ``matched`` and is the surviving id of merged records.
    ``by`` names the CRM field (or ``id``) that found it. ``candidates`` are the record ids of an
    ambiguous match. ``values`` are the record's current values of the fields asked for, canonical
    (`connectors.coerce`).
    """

    account_id: str
    status: MatchStatus
    record_id: str | None = None
    by: str = ""
    candidates: tuple[str, ...] = ()
    owner_id: str | None = None
    values: Mapping[str, Scalar] = field(default_factory=dict)
    object: str = ""
    """The CRM object of the record where it is not the destination's own (a converted lead's contact)."""


@dataclass(frozen=True, slots=True)
class Person:
    """A human in the CRM whom a task can name, found by e-mail: a contact, or in Salesforce a lead.

    ``record_id`` is the company record the person belongs to; ``candidates`` are the ids of an ambiguous match.
    """

    email: str
    status: MatchStatus
    person_id: str | None = None
    record_id: str | None = None
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Owner:
    """A person who can own CRM tasks. ``id`` is what the CRM wants in its owner field.

    ``zone`` is the name of the person's time zone, as the CRM writes it; empty where it has none.
    """

    id: str
    email: str
    name: str
    active: bool
    zone: str = ""
