"""The data of a portal: records, definitions, people, associations. A reset restores a copy of all of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from connectors.sandbox.hubspot.associations import Associations
from connectors.sandbox.hubspot.defaults import default_schema
from connectors.sandbox.hubspot.errors import JsonObject
from connectors.sandbox.hubspot.kinds import CONTACTS, KINDS, Kind, by_name
from connectors.sandbox.hubspot.record import Record
from connectors.sandbox.hubspot.record_store import RecordStore
from connectors.sandbox.hubspot.timestamps import iso

_FIRST_IDS = {"companies": 7945028643, "contacts": 171591000198, "deals": 21604988001, "tasks": 68310044901}
_FIRST_CUSTOM_ID = 860247707
_FIRST_OWNER = 60158101


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalOwner:
    """A person with a seat in the portal; ``archived`` means deactivated."""

    id: str
    email: str
    first_name: str
    last_name: str
    user_id: int
    created_ms: int
    updated_ms: int
    archived: bool = False

    def __deepcopy__(self, _memo: object) -> PortalOwner:
        return self

    def to_json(self) -> JsonObject:
        """As HubSpot answers it; a deactivated owner has no ``userId``."""
        shown: JsonObject = {
            "id": self.id,
            "email": self.email,
            "type": "PERSON",
            "firstName": self.first_name,
            "lastName": self.last_name,
            "userIdIncludingInactive": self.user_id,
            "createdAt": iso(self.created_ms),
            "updatedAt": iso(self.updated_ms),
            "archived": self.archived,
        }
        if not self.archived:
            shown["userId"] = self.user_id
        return shown


class Contents:
    """The data of a portal. A new one is empty but for the properties that HubSpot defines."""

    def __init__(self) -> None:
        self.kinds: tuple[Kind, ...] = KINDS
        self._by_name = by_name(KINDS)
        self.schemas = {kind.name: default_schema(kind) for kind in KINDS}
        self.records = {kind.name: RecordStore(kind, _FIRST_IDS[kind.name]) for kind in KINDS}
        self.records[CONTACTS.name].index("email")
        self.owners: dict[str, PortalOwner] = {}
        self.associations = Associations()

    def kind(self, name: str) -> Kind | None:
        """The kind with this plural, singular or type id, in upper or lower case; None when there is none."""
        return self._by_name.get(name.lower())

    def add_kind(self, kind: Kind) -> None:
        """Add a custom object; ValueError when one of its names is taken."""
        if taken := by_name([kind]).keys() & self._by_name.keys():
            raise ValueError(f"an object is called {', '.join(sorted(taken))} already")
        self.kinds = (*self.kinds, kind)
        self._by_name |= by_name([kind])
        self.schemas[kind.name] = default_schema(kind)
        self.records[kind.name] = RecordStore(kind, _FIRST_CUSTOM_ID)

    def add_owner(self, email: str, first_name: str, last_name: str, at_ms: int, owner_id: str | None) -> PortalOwner:
        """Add a person; ValueError when the id is taken or not a number."""
        chosen = owner_id or str(max([_FIRST_OWNER, *(int(known) + 1 for known in self.owners)]))
        if not chosen.isdecimal() or chosen in self.owners:
            raise ValueError(f"owner id {chosen!r} is taken or not a number")
        user_id = int(chosen) % 1_000_000 + 12_000_000
        self.owners[chosen] = PortalOwner(
            id=chosen,
            email=email,
            first_name=first_name,
            last_name=last_name,
            user_id=user_id,
            created_ms=at_ms,
            updated_ms=at_ms,
        )
        return self.owners[chosen]

    def set_owner_active(self, owner_id: str, active: bool, at_ms: int) -> None:
        """Archive or reactivate a person; records keep their reference. Raises KeyError."""
        self.owners[owner_id] = replace(self.owners[owner_id], archived=not active, updated_ms=at_ms)

    def delete(self, kind: Kind, record: Record) -> None:
        """Delete a record and its associations permanently."""
        self.records[kind.name].delete(record)
        self.associations.forget_record((kind.name, record.id))

    def merge(self, kind: Kind, survivor: Record, loser: Record, at_ms: int) -> None:
        """Merge two records of one kind; values and associations move to the survivor."""
        self.records[kind.name].merge(survivor, loser, at_ms)
        self.associations.move((kind.name, loser.id), (kind.name, survivor.id))
