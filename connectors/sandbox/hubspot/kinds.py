"""The kinds of object in a portal, by every name that HubSpot accepts for them.

Every portal has `KINDS`; a seed may add custom ones (`custom_kind`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Kind:
    """One kind of object. ``created`` and ``modified`` name the properties that hold those times.

    Kinds compare by identity, which makes them fast dictionary keys.
    """

    name: str
    singular: str
    type_id: str
    created: str
    modified: str
    shown: tuple[str, ...]
    """Properties that an answer shows when a request names none."""
    searched: tuple[str, ...]
    """Properties that the free-text ``query`` of a search covers."""
    required: tuple[str, ...] = ()
    required_any: tuple[str, ...] = ()
    scope: str = "contacts"
    """The middle of ``crm.objects.<scope>.read``; tasks use the scope of contacts."""

    def __deepcopy__(self, _memo: object) -> Kind:
        return self


COMPANIES = Kind(
    name="companies",
    singular="company",
    type_id="0-2",
    created="createdate",
    modified="hs_lastmodifieddate",
    shown=("name", "domain"),
    searched=("name", "domain", "website", "phone"),
    required_any=("name", "domain"),
    scope="companies",
)
CONTACTS = Kind(
    name="contacts",
    singular="contact",
    type_id="0-1",
    created="createdate",
    modified="lastmodifieddate",
    shown=("email", "firstname", "lastname"),
    searched=("firstname", "lastname", "email", "phone", "company"),
    required_any=("email", "firstname", "lastname"),
)
DEALS = Kind(
    name="deals",
    singular="deal",
    type_id="0-3",
    created="createdate",
    modified="hs_lastmodifieddate",
    shown=("dealname", "amount", "closedate", "pipeline", "dealstage"),
    searched=("dealname", "pipeline", "dealstage", "description"),
    required=("dealname", "dealstage", "pipeline"),
    scope="deals",
)
TASKS = Kind(
    name="tasks",
    singular="task",
    type_id="0-27",
    created="hs_createdate",
    modified="hs_lastmodifieddate",
    shown=(),
    searched=("hs_task_subject", "hs_task_body"),
    required=("hs_timestamp",),
)

KINDS = (COMPANIES, CONTACTS, DEALS, TASKS)
CUSTOM_SCOPE = "custom"


def by_name(kinds: Iterable[Kind]) -> dict[str, Kind]:
    """Kinds by plural, singular and type id, all in lower case."""
    return {alias.lower(): kind for kind in kinds for alias in (kind.name, kind.singular, kind.type_id)}


def custom_kind(described: Mapping[str, Any]) -> Kind:
    """A custom object: ``{"name": "cars", "singular": "car", "typeId": "2-3604285", "required": [], "shown": []}``."""
    required, shown = (tuple(str(name) for name in described.get(part, ())) for part in ("required", "shown"))
    return Kind(
        name=str(described["name"]),
        singular=str(described["singular"]),
        type_id=str(described["typeId"]),
        created="hs_createdate",
        modified="hs_lastmodifieddate",
        shown=shown,
        searched=shown,
        required=required,
        scope=CUSTOM_SCOPE,
    )


def described_by(kind: Kind) -> dict[str, Any]:
    """A custom object in the form that `custom_kind` reads."""
    return {
        "name": kind.name,
        "singular": kind.singular,
        "typeId": kind.type_id,
        "required": list(kind.required),
        "shown": list(kind.shown),
    }
