"""The kinds of object a portal holds, by every name HubSpot accepts for them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object. ``created`` and ``modified`` name the properties that hold those moments."""

    name: str
    singular: str
    type_id: str
    created: str
    modified: str
    shown: tuple[str, ...]
    """Properties answered when a request names none."""
    searched: tuple[str, ...]
    """Properties a search's free-text ``query`` looks into."""
    required: tuple[str, ...] = ()
    required_any: tuple[str, ...] = ()
    scope: str = "contacts"
    """The middle of ``crm.objects.<scope>.read``; tasks go with contacts."""

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
_BY_NAME = {alias: kind for kind in KINDS for alias in (kind.name, kind.singular, kind.type_id)}


def kind_named(name: str) -> Kind | None:
    """The kind meant by a plural, a singular or a type id, in any case; None when there is none."""
    return _BY_NAME.get(name.lower())
