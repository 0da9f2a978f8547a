"""The plan: the values and tasks that the decisions want, compared with what each CRM shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from connectors.base import FieldSpec, Scalar
from connectors.coerce import Invalid, coerce
from worker.language.values import Fields, Value
from worker.planning.crm_view import CrmView
from worker.planning.new_records import plan_record
from worker.planning.plan import FieldChange, HumanOwnedField, InvalidValue, Plan, RecordChange
from worker.planning.tasks import plan_tasks
from worker.planning.write_modes import KnownRecord, choose
from worker.rules.actions import MakeTask
from worker.settings.crm_fields import WriteMode
from worker.store.crm import Record


@dataclass(frozen=True, slots=True)
class Desired:
    """What the decisions want in every CRM.

    ``accounts`` are the fields of each account; ``set_fields`` the fields that playbooks set, by account; ``left`` the
    (playbook, account) pairs that left: their open tasks are closed. A CRM keeps its values of the fields in
    ``unchanged``.
    """

    accounts: Mapping[str, Fields]
    set_fields: Mapping[str, Mapping[str, Value]]
    tasks: Sequence[MakeTask]
    left: frozenset[tuple[str, str]]
    unchanged: frozenset[str] = frozenset()


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
        plan.known_records[view.name] = sum(1 for a in desired.accounts if view.record_of(a))
        if view.settings.tasks and view.settings.tasks.enabled:
            plan_tasks(plan, view, desired.tasks, desired.accounts, desired.left)
    return plan


def _plan_fields(plan: Plan, view: CrmView, desired: Desired) -> None:
    missing = [entry.field for entry in view.settings.fields.values() if entry.field not in view.readings.specs]
    if missing:
        plan.missing_fields[view.name] = missing
    claims = view.claims()
    for account_id in sorted(desired.accounts):
        record = view.record_of(account_id)
        if record is None or record.record_id is None:
            ours = partial(_filled, plan, view, desired)
            plan_record(plan, view, account_id, desired.accounts[account_id], ours, claims)
            continue
        changes = tuple(_field_changes(plan, view, record, record.record_id, desired))
        if changes:
            plan.records.append(
                RecordChange(
                    destination=view.name,
                    account_id=account_id,
                    record_id=record.record_id,
                    url=view.connector.record_url(record.record_id),
                    changes=changes,
                    object=record.object or view.settings.account.object,
                    parked=view.stored.parked.get(record.record_id) == {change.field: change.new for change in changes},
                )
            )


def _field_changes(
    plan: Plan, view: CrmView, record: Record, record_id: str, desired: Desired
) -> Iterable[FieldChange]:
    known = KnownRecord(
        view.readings.snapshot.get(record_id, {}),
        view.readings.written.get(record_id, {}),
        view.stored.uncertain.get(record_id, {}),
        view.stored.unanswered.get(record_id, {}),
    )
    for desired_value in _desired_values(plan, view, record.account_id, desired):
        crm_field = desired_value.field
        if desired_value.value is None and desired_value.keep_unknown:
            continue
        choice, value = choose(desired_value.write, crm_field, desired_value.value, known)
        if choice == "human_owned":
            url = view.connector.record_url(record_id)
            owned = HumanOwnedField(view.name, record.account_id, record_id, url, desired_value.name, crm_field)
            plan.human_owned.append(owned)
        elif choice == "write":
            yield FieldChange(desired_value.name, crm_field, known.shown.get(crm_field), value)


@dataclass(frozen=True, slots=True)
class DesiredValue:
    """The value one CRM field should have. ``keep_unknown``: an unknown value leaves the field as it is."""

    name: str
    field: str
    value: Scalar
    keep_unknown: bool
    write: WriteMode


def _filled(plan: Plan, view: CrmView, desired: Desired, account_id: str) -> dict[str, Scalar]:
    """The fields of ours that a new record gets when it is created."""
    values = _desired_values(plan, view, account_id, desired)
    return {one.field: one.value for one in values if one.value is not None}


def _desired_values(plan: Plan, view: CrmView, account_id: str, desired: Desired) -> Iterable[DesiredValue]:
    """The desired value of every field of ours that this CRM has, in its own precision.

    A value that its field cannot hold, and a field that our user may not write, go to ``plan.invalid``.
    """
    for name, spec, value, keep, write in _sources(view, account_id, desired):
        if not spec.writable:  # a CRM would reject the whole record because of it
            reason = f"{spec.name} cannot be written by our user: allow editing it"
            plan.invalid.append(InvalidValue(view.name, account_id, spec.name, reason))
            continue
        try:
            yield DesiredValue(name, spec.name, coerce(spec, value), keep, write)
        except Invalid as error:
            plan.invalid.append(InvalidValue(view.name, account_id, spec.name, str(error)))


def _sources(
    view: CrmView, account_id: str, desired: Desired
) -> Iterable[tuple[str, FieldSpec, Value, bool, WriteMode]]:
    yield "account id", view.readings.specs[view.settings.account.match_field], account_id, True, "always"
    fields = desired.accounts[account_id]
    by_playbooks = desired.set_fields.get(account_id, {})
    for name, entry in view.settings.fields.items():
        if entry.field in view.readings.specs and entry.from_ not in desired.unchanged:
            value = fields.get(entry.from_) if entry.from_ else by_playbooks.get(name)
            yield name, entry.within(view.readings.specs[entry.field]), value, entry.null == "keep", entry.write
