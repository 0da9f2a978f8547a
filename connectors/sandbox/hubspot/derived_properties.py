"""The values that HubSpot itself sets when a record is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from connectors.sandbox.hubspot.defaults import CLOSED_LOST, CLOSED_WON, STAGES
from connectors.sandbox.hubspot.kinds import COMPANIES, CONTACTS, DEALS, TASKS, Kind
from connectors.sandbox.hubspot.schema import Schema
from connectors.sandbox.hubspot.timestamps import iso

Values = dict[str, str]
_PROBABILITY = {stage: probability for stage, _, probability in STAGES}
ALWAYS_ECHOED: Mapping[str, tuple[str, ...]] = {
    CONTACTS.name: (
        "hs_is_unworked",
        "hs_object_source",
        "hs_object_source_id",
        "hs_object_source_label",
        "hs_pipeline",
        "lifecyclestage",
    )
}
"""Properties that the answer to a write shows although the client did not send them, by kind (recorded in 2025)."""
NOT_ECHOED_ON_UPDATE = frozenset({"hs_full_name_or_email"})
"""Derived values that an update changes but does not show (recorded)."""


def forward_only(schema: Schema, before: Mapping[str, str], changes: Values) -> None:
    """Silently drop a lifecycle stage that comes before the stored one."""
    wanted, stored = changes.get("lifecyclestage"), before.get("lifecyclestage")
    if wanted and stored:
        order = schema.properties["lifecyclestage"].allowed
        if order[wanted] < order.get(stored, -1):
            del changes["lifecyclestage"]


def derive(kind: Kind, before: Mapping[str, str], changes: Mapping[str, str], record_id: str, at_ms: int) -> Values:
    """Values that follow from ``changes`` to a record that had ``before`` (empty for a new one)."""
    derived: Values = {}
    if before and _TRIGGERS.isdisjoint(changes):
        return derived
    if changes.get("hubspot_owner_id", "") != before.get("hubspot_owner_id", "") and "hubspot_owner_id" in changes:
        derived["hubspot_owner_assigneddate"] = iso(at_ms) if changes["hubspot_owner_id"] else ""
    if derive_more := _DERIVERS.get(kind.name):
        derive_more(before, changes, derived, record_id, at_ms)
    return derived


def _company(before: Mapping[str, str], changes: Mapping[str, str], derived: Values, _id: str, _at: int) -> None:
    if not before and changes.get("domain") and not changes.get("website"):
        derived["website"] = changes["domain"]


def _contact(before: Mapping[str, str], changes: Mapping[str, str], derived: Values, record_id: str, at: int) -> None:
    if not before:
        derived.update(_NEW_CONTACT)
        derived["hs_all_contact_vids"] = record_id
        if not changes.get("lifecyclestage"):
            derived["lifecyclestage"] = "lead"
            derived["hs_lifecyclestage_lead_date"] = str(at)
    after = {**before, **changes}
    if "email" in changes:
        derived["hs_email_domain"] = after["email"].rpartition("@")[2]
    if {"email", "firstname", "lastname"} & changes.keys():
        name = " ".join(part for part in (after.get("firstname"), after.get("lastname")) if part)
        derived["hs_full_name_or_email"] = name or after.get("email", "")


def _deal(_before: Mapping[str, str], changes: Mapping[str, str], derived: Values, _id: str, _at: int) -> None:
    if stage := changes.get("dealstage"):
        derived["hs_is_closed"] = _truth(stage in (CLOSED_WON, CLOSED_LOST))
        derived["hs_is_closed_won"] = _truth(stage == CLOSED_WON)
        derived["hs_is_closed_lost"] = _truth(stage == CLOSED_LOST)
        derived["hs_deal_stage_probability"] = _PROBABILITY.get(stage, "")


def _task(before: Mapping[str, str], changes: Mapping[str, str], derived: Values, _id: str, at: int) -> None:
    if not before:
        defaults = {"hs_task_status": "NOT_STARTED", "hs_task_priority": "NONE", "hs_task_type": "TODO"}
        derived.update({name: value for name, value in defaults.items() if not changes.get(name)})
    after = {**before, **changes, **derived}
    done = after.get("hs_task_status") == "COMPLETED"
    if "hs_task_status" in changes or not before:
        derived["hs_task_is_completed"] = "1" if done else "0"
    if done and before.get("hs_task_status") != "COMPLETED":
        derived["hs_task_completion_date"] = iso(at)
    elif not done:
        derived["hs_task_completion_date"] = after.get("hs_timestamp", "")


_TRIGGERS = frozenset(
    {"hubspot_owner_id", "email", "firstname", "lastname", "dealstage", "hs_task_status", "hs_timestamp"}
)
"""For an existing record, values are derived only when one of these changes."""


def _truth(value: bool) -> str:
    return "true" if value else "false"


_NEW_CONTACT = {
    "hs_associated_target_accounts": "0",
    "hs_currently_enrolled_in_prospecting_agent": "false",
    "hs_is_contact": "true",
    "hs_is_unworked": "true",
    "hs_membership_has_accessed_private_content": "0",
    "hs_pipeline": "contacts-lifecycle-pipeline",
    "hs_prospecting_agent_actively_enrolled_count": "0",
    "hs_prospecting_agent_total_enrolled_count": "0",
    "hs_registered_member": "0",
    "hs_sequences_actively_enrolled_count": "0",
    "num_notes": "0",
}
_DERIVERS: dict[str, Callable[[Mapping[str, str], Mapping[str, str], Values, str, int], None]] = {
    COMPANIES.name: _company,
    CONTACTS.name: _contact,
    DEALS.name: _deal,
    TASKS.name: _task,
}
