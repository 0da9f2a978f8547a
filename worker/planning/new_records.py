"""Accounts without a record: which get a new one (``create_missing``), its values, and why the others get none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from connectors.base import Scalar
from connectors.coerce import Invalid, coerce
from worker.language.values import Fields
from worker.planning.crm_text import as_data
from worker.planning.crm_view import CrmView
from worker.planning.desired import DesiredRecord
from worker.planning.identity import Identity
from worker.planning.plan import NewRecord, Plan, Unmatched
from worker.store.crm import GONE, Record

Sources = Mapping[str, tuple[str, ...]]
"""By CRM field, the accounts that its value comes from, where several share the record."""


def plan_record(
    plan: Plan,
    view: CrmView,
    wanted: DesiredRecord,
    ours: Callable[[], tuple[Mapping[str, Scalar], Sources]],
    claims: Mapping[str, Collection[str]],
) -> None:
    """Plan a new record that includes ``ours``, or add the account to ``plan.unmatched`` with the reason.

    ``claims`` are the accounts that have or could have a record, by its id.
    """
    account_id, fields = wanted.account_id, wanted.fields
    record = view.readings.records.get(account_id)
    identity = view.readings.identities.get(account_id, Identity())
    not_made = ""
    if view.settings.account.create_missing and record and record.status == "missing":
        start, not_made = _start(view, fields)
        not_made = (
            _never(view, record, claims)
            or _not_yet(view, wanted)
            or _not_a_customer(fields)
            or identity.not_made
            or not_made
        )
        if not not_made:
            our_values, sources = ours()
            values = {**start, view.settings.account.match_field: account_id, **our_values}
            plan.new_records.append(_new_record(view, wanted, values, sources))
            return
    candidates = record.candidates if record else ()
    plan.unmatched.append(
        Unmatched(
            destination=view.name,
            account_id=account_id,
            status=record.status if record else "missing",
            candidates=tuple(view.connector.record_url(candidate) for candidate in candidates),
            not_made=not_made,
            shared=identity.shared,
            rivals=tuple(
                sorted({rival for one in candidates for rival in claims[one]} - {account_id, *wanted.members})
            ),
        )
    )


def _new_record(view: CrmView, wanted: DesiredRecord, values: Mapping[str, Scalar], sources: Sources) -> NewRecord:
    before = view.stored.creations.get(wanted.account_id)
    made = NewRecord(
        destination=view.name,
        account_id=wanted.account_id,
        object=view.settings.account.object,
        values=values,
        members=wanted.members,
        sources=sources,
    )
    if before and before.state in {"pending", "leased"}:
        return replace(made, state="queued")
    return replace(made, state="parked") if before and before.values == values else made


def _never(view: CrmView, record: Record, claims: Mapping[str, Collection[str]]) -> str:
    """Why the account never gets a record: we create one only once, and it was removed or is another account's."""
    before = view.stored.creations.get(record.account_id)
    others = sorted(claims.get(before.record_id or "", ())) if before else []
    if others:
        return f"the record that was made for it is that of {others[0]}"
    if record.matched_by == GONE or (before and before.state == "done"):
        return "its record was deleted in the CRM"
    return "an operator dropped it" if before and before.state == "dropped" else ""


def _not_yet(view: CrmView, wanted: DesiredRecord) -> str:
    """Why a company gets no record for now: its accounts have some, or one is being created, which it takes over."""
    records, creations = view.readings.records, view.stored.creations
    others = [member for member in wanted.members if member != wanted.account_id]
    if any((record := records.get(one)) and record.record_id for one in others):
        return "its accounts have several records"
    being_made = [one for one in others if (creation := creations.get(one)) and creation.may_exist]
    return f"the record of {being_made[0]} may have been created, and the answer is awaited" if being_made else ""


def _not_a_customer(fields: Fields) -> str:
    """Why the account is not known to be a customer's; empty when it is."""
    if fields.get("account.deleted_at") is not None:
        return "the account is deleted"
    internal = fields.get("account.is_internal")
    if internal is None:
        return "account.is_internal is not known"
    return "the account is internal" if internal else ""


def _start(view: CrmView, fields: Fields) -> tuple[dict[str, Scalar], str]:
    """The values of ``account.create``, or why they are not enough for a record; the reason contains no value."""
    start: dict[str, Scalar] = {}
    for crm_field, source in view.settings.account.create.items():
        spec = view.readings.specs.get(crm_field)
        if spec is None:
            return {}, f"{view.settings.account.object} has no field {crm_field} that we can see"
        try:
            value = coerce(spec, as_data(spec, fields.get(source)))
        except Invalid as error:
            return {}, str(error)
        if value is not None:
            start[crm_field] = value
        elif not spec.nillable:
            return {}, f"{source} is not known, and {crm_field} must have a value"
    return start, "" if start else f"none of {', '.join(view.settings.account.create.values())} is known"
