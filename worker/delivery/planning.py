"""Making a plan: what the decisions want, compared with what each CRM shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from connectors.coerce import Invalid, coerce
from worker.delivery.plan import FieldChange, Plan, RecordChange, Refused, Unmatched
from worker.delivery.reading import CrmView
from worker.delivery.task_planning import plan_tasks
from worker.language.values import Fields, Value
from worker.rules.actions import MakeTask


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
            _note_unmatched(plan, view, account_id)
            continue
        changes = tuple(_field_changes(plan, view, account_id, record.record_id, desired))
        if changes:
            plan.records.append(
                RecordChange(
                    view.name,
                    account_id,
                    record.record_id,
                    view.connector.record_url(record.record_id),
                    changes,
                    parked=view.parked.get(record.record_id) == {change.field: change.new for change in changes},
                )
            )


def _note_unmatched(plan: Plan, view: CrmView, account_id: str) -> None:
    record = view.records.get(account_id)
    links = tuple(view.connector.record_url(candidate) for candidate in (record.candidates if record else ()))
    plan.unmatched.append(Unmatched(view.name, account_id, record.status if record else "missing", links))


def _field_changes(
    plan: Plan, view: CrmView, account_id: str, record_id: str, desired: Desired
) -> Iterable[FieldChange]:
    shown = view.snapshot.get(record_id, {})
    unsure = view.uncertain.get(record_id, frozenset())
    for name, crm_field, value, keep in _desired_values(view, account_id, desired):
        try:
            new = coerce(view.specs[crm_field], value)
        except Invalid as error:
            plan.refused.append(Refused(view.name, account_id, crm_field, str(error)))
            continue
        old = shown.get(crm_field)
        if (new is None and keep) or (new == old and crm_field not in unsure):
            continue
        yield FieldChange(name, crm_field, old, new)


def _desired_values(view: CrmView, account_id: str, desired: Desired) -> Iterable[tuple[str, str, Value, bool]]:
    yield "account id", view.settings.account.match_field, account_id, True
    fields = desired.accounts[account_id]
    by_playbooks = desired.set_fields.get(account_id, {})
    for name, entry in view.settings.fields.items():
        if entry.field in view.specs:
            value = fields.get(entry.from_) if entry.from_ else by_playbooks.get(name)
            yield name, entry.field, value, entry.null == "keep"
