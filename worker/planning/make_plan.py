"""The plan: the values and tasks that the decisions want, compared with what each CRM shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from connectors.base import FieldSpec, Scalar
from connectors.coerce import Invalid, coerce
from worker.planning.combine import Combined
from worker.planning.crm_text import as_data
from worker.planning.crm_view import CrmView
from worker.planning.desired import Desired, DesiredRecord, desired_records
from worker.planning.new_records import Sources, plan_record
from worker.planning.plan import FieldChange, HumanOwnedField, InvalidValue, Plan, RecordChange, SpareRecord
from worker.planning.spare_records import spare_records
from worker.planning.tasks import plan_tasks
from worker.planning.write_modes import KnownRecord, choose
from worker.settings.crm_fields import WriteMode


def make_plan(
    views: Iterable[CrmView], desired: Desired, as_of: str, config_version: str, *, resumed: bool = False
) -> Plan:
    """Compare the desired values with what each CRM shows, one destination at a time."""
    plan = Plan(as_of=as_of, config_version=config_version, resumed=resumed)
    for view in views:
        if view.readings.problem:
            plan.problems[view.name] = view.readings.problem
        else:
            _plan_fields(plan, view, desired)
            plan.spare_records += _spare_records(view)
        records = {view.company_of(account_id) for account_id in desired.accounts}
        plan.known_records[view.name] = sum(1 for account_id in records if view.record_of(account_id))
        if view.settings.tasks and view.settings.tasks.enabled:
            plan_tasks(plan, view, desired.tasks, desired.accounts, desired.left)
    return plan


def _spare_records(view: CrmView) -> Iterable[SpareRecord]:
    url = view.connector.record_url
    for record in spare_records(view):
        shared = view.record_of(record.account_id)
        yield SpareRecord(
            destination=view.name,
            account_id=record.account_id,
            company=view.company_of(record.account_id),
            url=url(record.record_id or ""),
            shared=url(shared.record_id) if shared and shared.record_id else "",
        )


def _plan_fields(plan: Plan, view: CrmView, desired: Desired) -> None:
    missing = [entry.field for entry in view.settings.fields.values() if entry.field not in view.readings.specs]
    if missing:
        plan.missing_fields[view.name] = missing
    claims = view.claims()
    for wanted in desired_records(view, desired):
        record = view.record_of(wanted.account_id)
        if record is None or record.record_id is None:
            plan_record(plan, view, wanted, partial(_filled, plan, view, wanted, desired.unchanged), claims)
            continue
        changes = tuple(_field_changes(plan, view, record.record_id, wanted, desired.unchanged))
        if changes:
            plan.records.append(
                RecordChange(
                    destination=view.name,
                    account_id=wanted.account_id,
                    record_id=record.record_id,
                    url=view.connector.record_url(record.record_id),
                    changes=changes,
                    object=record.object or view.settings.account.object,
                    members=wanted.members,
                    parked=view.stored.parked.get(record.record_id) == {change.field: change.new for change in changes},
                )
            )


def _field_changes(
    plan: Plan, view: CrmView, record_id: str, wanted: DesiredRecord, unchanged: frozenset[str]
) -> Iterable[FieldChange]:
    known = KnownRecord(
        view.readings.snapshot.get(record_id, {}),
        view.readings.written.get(record_id, {}),
        view.stored.attempted.get(record_id, {}),
        view.stored.unanswered.get(record_id, {}),
        view.readings.sent_meanwhile.get(record_id, {}),
    )
    for desired_value in _desired_values(plan, view, wanted, unchanged):
        crm_field = desired_value.field
        if desired_value.value is None and desired_value.keep_unknown:
            continue
        choice, value = choose(desired_value.write, crm_field, desired_value.value, known)
        if choice == "human_owned":
            url = view.connector.record_url(record_id)
            owned = HumanOwnedField(view.name, wanted.account_id, record_id, url, desired_value.name, crm_field)
            plan.human_owned.append(owned)
        elif choice == "write":
            old = known.shown.get(crm_field)
            yield FieldChange(desired_value.name, crm_field, old, value, desired_value.accounts)


@dataclass(frozen=True, slots=True)
class DesiredValue:
    """The value one CRM field should have. ``keep_unknown``: an unknown value leaves the field as it is.

    ``accounts``: where accounts share a record, those that the value comes from.
    """

    name: str
    field: str
    value: Scalar
    keep_unknown: bool
    write: WriteMode
    accounts: tuple[str, ...] = ()


def _filled(
    plan: Plan, view: CrmView, wanted: DesiredRecord, unchanged: frozenset[str]
) -> tuple[dict[str, Scalar], Sources]:
    """The fields of ours that a new record gets when it is created, and the accounts that they come from."""
    values = [one for one in _desired_values(plan, view, wanted, unchanged) if one.value is not None]
    return {one.field: one.value for one in values}, {one.field: one.accounts for one in values if one.accounts}


def _desired_values(
    plan: Plan, view: CrmView, wanted: DesiredRecord, unchanged: frozenset[str]
) -> Iterable[DesiredValue]:
    """The desired value of every field of ours that this CRM has, in its own precision.

    A value that its field cannot hold, and a field that our user may not write, go to ``plan.invalid``.
    """
    for name, spec, made, keep, write in _sources(view, wanted, unchanged):
        reason = made.problem and f"{spec.name}: {made.problem}"
        if not spec.writable:  # a CRM would reject the whole record because of it
            reason = f"{spec.name} cannot be written by our user: allow editing it"
        if not reason:
            try:
                yield DesiredValue(name, spec.name, coerce(spec, made.value), keep, write, made.accounts)
            except Invalid as error:
                reason = str(error)
        if reason:
            plan.invalid.append(InvalidValue(view.name, wanted.account_id, spec.name, reason))


def _sources(
    view: CrmView, wanted: DesiredRecord, unchanged: frozenset[str]
) -> Iterable[tuple[str, FieldSpec, Combined, bool, WriteMode]]:
    match_field = view.readings.specs[view.settings.account.match_field]
    yield "account id", match_field, Combined(wanted.account_id), True, "always"
    for name, entry in view.settings.fields.items():
        if entry.field in view.readings.specs and entry.from_ not in unchanged:
            spec = entry.within(view.readings.specs[entry.field])
            made = wanted.values[name]
            yield name, spec, replace(made, value=as_data(spec, made.value)), entry.null == "keep", entry.write
