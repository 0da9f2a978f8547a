"""The org's current schema: standard objects, custom fields, and the time of the last change."""

from __future__ import annotations

from datetime import datetime, timedelta

from connectors.sandbox.core.clock import Clock
from connectors.sandbox.salesforce import person_fields
from connectors.sandbox.salesforce.objects import standard_objects
from connectors.sandbox.salesforce.schema import Field, ObjectType

ACTIVITIES = ("Task", "Event")


class Catalogue:
    """Objects by name. ``version`` increases with every change of schema or permission."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.types: dict[str, ObjectType] = {}
        self.version = 0
        self.changed: datetime = clock.now().replace(microsecond=0) - timedelta(seconds=1)
        self.replace(standard_objects())

    def replace(self, types: dict[str, ObjectType]) -> None:
        """Use this schema from now on."""
        self.types = types
        self._names = {name.lower(): name for name in types}
        self._prefixes = {one.prefix: name for name, one in types.items()}
        self.touch()

    def copy(self) -> dict[str, ObjectType]:
        """A copy of the current schema, for `replace`."""
        return {name: one.copy() for name, one in self.types.items()}

    def touch(self) -> None:
        """Record a change of schema or permissions, which makes cached describes stale."""
        self.version += 1
        now = self._clock.now().replace(microsecond=0)
        # HTTP dates have whole seconds; this gives two changes within one second two dates.
        self.changed = max(now, self.changed + timedelta(seconds=1))

    def find(self, name: str, tooling: bool = False) -> ObjectType | None:
        """The object of this name, in upper or lower case, in the data API or the Tooling API."""
        exact = self._names.get(name.lower())
        return self.types[exact] if exact and self.types[exact].tooling is tooling else None

    def of_id(self, record_id: str) -> ObjectType | None:
        """The object with the key prefix of this id."""
        name = self._prefixes.get(record_id[:3])
        return self.types[name] if name else None

    def remove(self, object: str, name: str) -> None:
        """Remove a field."""
        for owner, shown in self.owners(object, name):
            self.types[owner].drop(shown)
        self.touch()

    def owners(self, object: str, name: str) -> list[tuple[str, str]]:
        """(object, name) of a custom field wherever it appears: Activity on Task and Event, Contact on persons."""
        if object == "Contact" and person_fields.are_on(self.types):
            return [(object, name), ("Account", person_fields.account_field(name))]
        return [(owner, name) for owner in (ACTIVITIES if object == "Activity" else (object,))]

    def put(self, object: str, field: Field) -> list[ObjectType]:
        """Add or replace a field; one of Activity appears on Task and Event. Returns the objects that have it."""
        names = ACTIVITIES if object == "Activity" else (object,)
        changed = [self.types[name] for name in names]
        for one in changed:
            one.put(field)
        if object == "Contact" and field.custom and person_fields.are_on(self.types):
            self.types["Account"].put(person_fields.on_account(field))
        self.touch()
        return changed
