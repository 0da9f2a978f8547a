"""The property definitions of one kind of object and their JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from connectors.sandbox.hubspot.errors import JsonObject
from connectors.sandbox.hubspot.timestamps import iso

MAX_UNIQUE = 10

Prepared = TypeVar("Prepared")

TRUE_FALSE: tuple[JsonObject, ...] = (
    {"label": "True", "value": "true", "description": "", "displayOrder": 0, "hidden": False},
    {"label": "False", "value": "false", "description": "", "displayOrder": 1, "hidden": False},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One property definition; frozen, so that it may be shared between snapshots of a portal."""

    name: str
    label: str
    type: str
    field_type: str
    group: str
    description: str = ""
    options: tuple[JsonObject, ...] = ()
    display_order: int = -1
    unique: bool = False
    hidden: bool = False
    calculated: bool = False
    external_options: bool = False
    read_only: bool = False
    defined_by_hubspot: bool = False
    form_field: bool = False
    hint: str | None = None
    created_ms: int = 0
    updated_ms: int = 0
    archived: bool = False
    allowed: Mapping[str, int] = field(default_factory=dict, compare=False)
    """Option values and their position."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "allowed", {option["value"]: place for place, option in enumerate(self.options)})

    def __deepcopy__(self, _memo: object) -> Property:
        return self

    def to_json(self) -> JsonObject:
        """The full object, with the keys of the recorded answers."""
        shown: JsonObject = {
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "fieldType": self.field_type,
            "description": self.description,
            "groupName": self.group,
            "options": list(self.options),
            "displayOrder": self.display_order,
            "calculated": self.calculated,
            "externalOptions": self.external_options,
            "hasUniqueValue": self.unique,
            "hidden": self.hidden,
            "modificationMetadata": {
                "archivable": not self.defined_by_hubspot,
                "readOnlyDefinition": self.defined_by_hubspot,
                "readOnlyValue": self.read_only,
            },
            "formField": self.form_field,
            "dataSensitivity": "non_sensitive",
        }
        if self.defined_by_hubspot:
            shown["hubspotDefined"] = True
        if self.hint:
            shown["numberDisplayHint"] = self.hint
        if self.external_options:
            shown["referencedObjectType"] = "OWNER"
        return shown

    def to_dated_json(self) -> JsonObject:
        """The form in reads: the full object with its times."""
        dated = {"createdAt": iso(self.created_ms), "updatedAt": iso(self.updated_ms), "archived": self.archived}
        return {**self.to_json(), **dated}


@dataclass(frozen=True, slots=True)
class Group:
    """A group of properties."""

    name: str
    label: str
    display_order: int = -1

    def __deepcopy__(self, _memo: object) -> Group:
        return self

    def to_json(self) -> JsonObject:
        """The group in HubSpot's answers."""
        return {"name": self.name, "label": self.label, "displayOrder": self.display_order, "archived": False}


class Schema:
    """The properties of one kind of object; ``writable`` are those that a call may set."""

    def __init__(self, properties: Mapping[str, Property], groups: Mapping[str, Group]) -> None:
        self.properties = dict(properties)
        self.groups = dict(groups)
        self.writable = self._writable()
        self.choices = self._choices()
        self._prepared: dict[str, Any] = {}
        self.version = 0
        """Increases with every change of a definition or a group."""

    def prepared(self, prepare: Callable[[Schema], dict[str, Prepared]]) -> dict[str, Prepared]:
        """The result of ``prepare`` for this schema, cached until a definition changes."""
        if not self._prepared:
            self._prepared = prepare(self)
        return self._prepared

    def __deepcopy__(self, _memo: object) -> Schema:
        return Schema(self.properties, self.groups)

    def _writable(self) -> dict[str, Property]:
        known = self.properties.values()
        return {each.name: each for each in known if not (each.archived or each.read_only or each.calculated)}

    def _choices(self) -> frozenset[str]:
        """Names of the properties that a value can be appended to."""
        return frozenset(name for name, known in self.properties.items() if known.type == "enumeration")

    def get(self, name: str) -> Property | None:
        """The property, unless it does not exist or is archived."""
        found = self.properties.get(name)
        return None if found is None or found.archived else found

    def listed(self, archived: bool) -> list[Property]:
        """Every property that is (not) archived."""
        return [definition for definition in self.properties.values() if definition.archived == archived]

    def unique_names(self) -> list[str]:
        """Names of the properties with unique values."""
        return [name for name, known in self.properties.items() if known.unique and not known.archived]

    def put(self, definition: Property) -> None:
        """Add or replace one definition."""
        self.properties[definition.name] = definition
        self.writable, self.choices, self._prepared = self._writable(), self._choices(), {}
        self.version += 1

    def put_group(self, group: Group) -> None:
        """Add or replace one group."""
        self.groups[group.name] = group
        self.version += 1

    def drop_group(self, name: str) -> None:
        """Remove one group."""
        del self.groups[name]
        self.version += 1

    def archive(self, name: str, at_ms: int) -> None:
        """Archive one definition; records keep its values but do not show them."""
        self.put(replace(self.properties[name], archived=True, updated_ms=at_ms))


def option_of(described: Mapping[str, Any], place: int) -> JsonObject:
    """An option with all its keys."""
    return {
        "label": str(described["label"]),
        "value": str(described["value"]),
        "description": str(described.get("description") or ""),
        "displayOrder": int(described.get("displayOrder", place)),
        "hidden": described.get("hidden") in (True, "true"),
    }
