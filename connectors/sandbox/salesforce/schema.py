"""Objects and their fields: the part of Salesforce's metadata that the REST API shows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

TEXT_TYPES = frozenset({"string", "textarea", "email", "phone", "url", "combobox", "encryptedstring"})
NUMBER_TYPES = frozenset({"double", "currency", "percent", "int"})


@dataclass(frozen=True, slots=True)
class Option:
    """One picklist value. ``closed`` and ``won`` are the meaning of a Task status or a deal stage."""

    value: str
    active: bool = True
    default: bool = False
    closed: bool = False
    won: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field. ``required``: a create needs it, because it is neither nillable nor defaulted.

    ``length`` is in characters, ``precision`` in total digits, ``scale`` in digits after the point.
    """

    name: str
    type: str
    label: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    nillable: bool = True
    createable: bool = True
    updateable: bool = True
    defaulted: bool = False
    default: Any = None
    unique: bool = False
    external_id: bool = False
    id_lookup: bool = False
    case_sensitive: bool = False
    restricted: bool = False
    name_field: bool = False
    calculated: bool = False
    custom: bool = False
    options: tuple[Option, ...] = ()
    reference_to: tuple[str, ...] = ()
    relationship: str | None = None
    description: str = ""
    limit: int = field(init=False, compare=False, repr=False)  # the absolute value of a number is smaller

    def __post_init__(self) -> None:
        object.__setattr__(self, "limit", 10 ** max(0, (self.precision or 18) - self.scale))

    @property
    def required(self) -> bool:
        """Whether a create needs a value for it."""
        return self.createable and not self.nillable and not self.defaulted

    @property
    def indexed(self) -> bool:
        """Whether an index finds records by it."""
        return self.unique or self.external_id or self.id_lookup

    def option(self, value: str) -> Option | None:
        """The active picklist option of this value, in upper or lower case."""
        for option in self.options:
            if option.value == value and option.active:
                return option
        wanted = value.lower()
        return next((option for option in self.options if option.active and option.value.lower() == wanted), None)


@dataclass(slots=True, kw_only=True)
class ObjectType:
    """One kind of record and its fields by exact name, in the order describe lists them."""

    name: str
    prefix: str
    label: str
    plural: str
    fields: dict[str, Field]
    custom: bool = False
    createable: bool = True
    deletable: bool = True
    feed: bool = True
    tooling: bool = False  # visible to the Tooling API only
    lower: dict[str, Field] = field(default_factory=dict)
    unique: tuple[Field, ...] = ()
    unique_names: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self._sort_out()

    def find(self, name: str) -> Field | None:
        """The field of this name, in upper or lower case."""
        return self.fields.get(name) or self.lower.get(name.lower())

    def put(self, one: Field) -> None:
        """Add or replace a field."""
        self.fields[one.name] = one
        self._sort_out()

    def drop(self, name: str) -> None:
        """Remove a field."""
        self.fields.pop(name, None)
        self._sort_out()

    def parent(self, relationship: str) -> Field | None:
        """The reference field behind a relationship name such as ``Account`` or ``Owner``."""
        wanted = relationship.lower()
        return next((one for one in self.fields.values() if (one.relationship or "").lower() == wanted), None)

    def without_custom_fields(self) -> ObjectType:
        """An independent copy without custom fields."""
        return replace(self, fields={name: one for name, one in self.fields.items() if not one.custom})

    def copy(self) -> ObjectType:
        """An independent copy; the fields themselves never change."""
        return replace(self, fields=dict(self.fields))

    def _sort_out(self) -> None:
        self.lower = {name.lower(): one for name, one in self.fields.items()}
        self.unique = tuple(one for one in self.fields.values() if one.unique)
        self.unique_names = frozenset(one.name for one in self.unique)


def words(name: str) -> str:
    """``BillingPostalCode`` and ``Health_Score__c`` as labels."""
    bare = re.sub(r"(__c|Id)$", lambda end: " ID" if end.group() == "Id" else "", name)
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", bare.replace("_", " ")).strip()
