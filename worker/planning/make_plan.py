"""Making a plan: what the decisions want, compared with what each CRM shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from connectors.base import FieldSpec, Scalar
from connectors.coerce import Invalid, coerce
from worker.language.values import Fields, Value
from worker.planning.crm_view import CrmView
from worker.planning.new_records import plan_record
from worker.planning.plan import FieldChange, Kept, Plan, RecordChange, Refused
from worker.planning.tasks import plan_tasks
from worker.planning.write_modes import KnownRecord, judge
from worker.rules.actions import MakeTask
from worker.settings.crm_fields import WriteMode
from worker.store.crm import Record


@dataclass(frozen=True, slots=True)
class Desired:
    """What the decisions want: fields per account, new tasks, and the tasks whose playbook was left.

    ``set_fields`` holds what playbooks set, by account; ``left`` the (playbook, account) pairs that are out.
    """

    accounts: Mapping[str, Fields]
    set_fields: Mapping[str, Mapping[str, Value]]
    tasks: Sequence[MakeTask]
    left: frozenset[tuple[str, str]]


def make_plan(
    views: Iterable[CrmView], desired: Desired, as_of: str, config_version: str, *, resumed: bool = False
) -> Plan:
    """Compare what should be with what each CRM shows; every destination by itself."""
    plan = Plan(as_of, config_version, resumed)
    for view in views:
        if view.problem:
            plan.problems[view.name] = view.problem
        else:
            _plan_fields(plan, view, desired)
        plan.known_records[view.name] = sum(1 for a in desired.accounts if view.record_of(a))
        if view.settings.tasks and view.settings.tasks.enabled:
            plan_tasks(plan, view, desired.tasks, desired.accounts, desired.left)
    return plan


def _plan_fields(plan: Plan, view: CrmView, desired: Desired) -> None:
    missing = [entry.field for entry in view.settings.fields.values() if entry.field not in view.specs]
    if missing:
        plan.missing_fields[view.name] = missing
    for account_id in sorted(desired.accounts):
        record = view.record_of(account_id)
        if record is None or record.record_id is None:
            plan_record(plan, view, account_id, desired.accounts[account_id], partial(_filled, plan, view, desired))
            continue
        changes = tuple(_field_changes(plan, view, record, record.record_id, desired))
        if changes:
            plan.records.append(
                RecordChange(
                    view.name,
                    account_id,
                    record.record_id,
                    view.connector.record_url(record.record_id),
                    changes,
                    record.object or view.settings.account.object,
                    parked=view.parked.get(record.record_id) == {change.field: change.new for change in changes},
                )
            )


def _field_changes(
    plan: Plan, view: CrmView, record: Record, record_id: str, desired: Desired
) -> Iterable[FieldChange]:
    known = KnownRecord(
        view.snapshot.get(record_id, {}),
        view.written.get(record_id, {}),
        view.uncertain.get(record_id, {}),
        view.unanswered.get(record_id, {}),
    )
    for wish in _wishes(plan, view, record.account_id, desired):
        if wish.value is None and wish.keep:
            continue
        verdict, value = judge(wish.write, wish.field, wish.value, known)
        if verdict == "kept":
            url = view.connector.record_url(record_id)
            plan.kept.append(Kept(view.name, record.account_id, record_id, url, wish.name, wish.field))
        elif verdict == "write":
            yield FieldChange(wish.name, wish.field, known.shown.get(wish.field), value)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What one CRM field should hold; ``keep``: an unknown value leaves it as it is."""

    name: str
    field: str
    value: Scalar
    keep: bool
    write: WriteMode


def _filled(plan: Plan, view: CrmView, desired: Desired, account_id: str) -> dict[str, Scalar]:
    """The fields of ours that a new record can hold from the start."""
    return {wish.field: wish.value for wish in _wishes(plan, view, account_id, desired) if wish.value is not None}


def _wishes(plan: Plan, view: CrmView, account_id: str, desired: Desired) -> Iterable[_Wish]:
    """Every field of ours that this CRM has, in its own precision; what a field cannot hold is refused."""
    for name, spec, value, keep, write in _desired_values(view, account_id, desired):
        if not spec.writable:  # a CRM would refuse the whole record because of it
            reason = f"{spec.name} cannot be written by our user: allow editing it"
            plan.refused.append(Refused(view.name, account_id, spec.name, reason))
            continue
        try:
            yield _Wish(name, spec.name, coerce(spec, value), keep, write)
        except Invalid as error:
            plan.refused.append(Refused(view.name, account_id, spec.name, str(error)))


def _desired_values(
    view: CrmView, account_id: str, desired: Desired
) -> Iterable[tuple[str, FieldSpec, Value, bool, WriteMode]]:
    yield "account id", view.specs[view.settings.account.match_field], account_id, True, "always"
    fields = desired.accounts[account_id]
    by_playbooks = desired.set_fields.get(account_id, {})
    for name, entry in view.settings.fields.items():
        if entry.field in view.specs:
            value = fields.get(entry.from_) if entry.from_ else by_playbooks.get(name)
            yield name, entry.within(view.specs[entry.field]), value, entry.null == "keep", entry.write
