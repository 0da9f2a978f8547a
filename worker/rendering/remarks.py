"""What a plan does not write and why, with links: for the plan and for the report of a run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from worker.language.plural import counted
from worker.language.zones import is_no_zone
from worker.pipeline.compute import Computed
from worker.planning.plan import HumanOwnedField, Plan

SHOWN = 5
RECORD_OF_SEVERAL = (
    "if they are workspaces of one company, let them share its record (account: {record: parent} in config/crm.yaml) "
    "or roll them up (account: {level: parent} in config/product.yaml); both need parent_id"
)


def remarks(computed: Computed) -> Iterable[str]:
    """Accounts without a record, fields that people own, records not created, tasks without an owner or a person."""
    yield from _frozen(computed.plan)
    yield from _step_changes(computed)
    yield from _unknown_zones(computed)
    yield from _ambiguous(computed)
    yield from _spare_records(computed)
    yield from _shared(computed)
    yield from _human_owned(computed)
    plan = computed.plan
    not_made = Counter((one.destination, one.not_made) for one in plan.unmatched if one.not_made not in one.shared)
    for (name, why), count in sorted(not_made.items()):
        yield f"{name}: {counted(count, 'account gets', 'accounts get')} no new record: {why}"
    for (name, whom, on_hold), count in sorted(_ownerless(plan).items()):
        tasks = counted(count, "task belongs", "tasks belong")
        yield f"{name}: {tasks} to nobody ({whom}){': held' if on_hold else ''}"
    no_person = Counter((task.destination, task.no_person) for task in plan.tasks if task.no_person)
    for (name, why), count in sorted(no_person.items()):
        yield f"{name}: {counted(count, 'task names', 'tasks name')} no person: {why}"


def remarks_json(computed: Computed) -> dict[str, Any]:
    """The same without a limit, by record and field; never a value."""
    plan = computed.plan
    return {
        "missing": plan.missing,
        "reused": plan.reused,
        "undecided": plan.undecided,
        "unknown_zones": _without_zone(computed),
        "steps": [asdict(change) for change in plan.steps],
        "ambiguous": [
            {
                "destination": one.destination,
                "account_id": one.account_id,
                "candidates": list(one.candidates),
                "rivals": list(one.rivals),
            }
            for one in plan.unmatched
            if one.status == "ambiguous"
        ],
        "spare_records": [asdict(one) for one in plan.spare_records],
        "shared": [
            {"destination": one.destination, "account_id": one.account_id, "reason": one.shared}
            for one in plan.unmatched
            if one.shared
        ],
        "human_owned": [
            {"destination": one.destination, "account_id": one.account_id, "record": one.url, "field": one.field}
            for one in plan.human_owned
        ],
        "not_made": Counter(f"{one.destination}: {one.not_made}" for one in plan.unmatched if one.not_made),
        "no_owner": [
            {"destination": name, "assignees": whom, "held": on_hold, "tasks": count}
            for (name, whom, on_hold), count in sorted(_ownerless(plan).items())
        ],
        "no_person": Counter(f"{task.destination}: {task.no_person}" for task in plan.tasks if task.no_person),
    }


def _ownerless(plan: Plan) -> Counter[tuple[str, str, bool]]:
    """By CRM, by whom they name and by whether they are held: the new tasks that belong to nobody."""
    return Counter((task.destination, task.ownerless, bool(task.no_owner)) for task in plan.tasks if task.ownerless)


def account_name(computed: Computed, account_id: str) -> str:
    """The name of an account, or its id when it has none."""
    return str(computed.accounts.get(account_id, {}).get("account.name") or account_id)


def some(names: Sequence[str], count: int = 0) -> str:
    """The first of the names, and how many more there are; of ``count`` in all, where that is more than the names."""
    count = max(count, len(names))
    more = f" … and {count - SHOWN:,} more" if count > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _ambiguous(computed: Computed) -> Iterable[str]:
    unsure = [one for one in computed.plan.unmatched if one.status == "ambiguous"]
    for one in unsure[:SHOWN]:
        name, links = account_name(computed, one.account_id), " ".join(one.candidates)
        what = (
            f"could be {counted(len(one.candidates), 'record')}"
            if len(one.candidates) > 1
            else "may not be this record"
        )
        rivals = ", ".join(account_name(computed, rival) for rival in one.rivals[:SHOWN])
        also = f" ({rivals} {'claims' if len(one.rivals) == 1 else 'claim'} it too)" if rivals else ""
        yield f"{one.destination}: {name} {what}{also}: {links}"
    if len(unsure) > SHOWN:
        yield f"… and {counted(len(unsure) - SHOWN, 'more account')} that could be several records; --json shows all"
    if any(one.rivals for one in unsure):
        yield f"several accounts claim one record: {RECORD_OF_SEVERAL}"


def _spare_records(computed: Computed) -> Iterable[str]:
    """By company, the records that its accounts have beside the one they share, and what a person does with them."""
    companies: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for one in computed.plan.spare_records:
        name = account_name(computed, one.account_id)
        companies[one.destination, one.company, one.shared].append(f"{name} {one.url}")
    for (destination, company, shared), links in sorted(companies.items())[:SHOWN]:
        top, spare = account_name(computed, company), f"where nothing is written any more: {some(links)}"
        if shared:
            yield f"{destination}: accounts that share the record of {top} ({shared}) have others of their own, {spare}"
            yield f"  merge each into that of {top} in the CRM, or empty the account id on it"
        else:
            yield f"{destination}: {top} has no record, and the accounts that would share it have several, {spare}"
            yield f"  merge them into one in the CRM, or write the account id {company} on the one to share"
    if len(companies) > SHOWN:
        more = counted(len(companies) - SHOWN, "more company", "more companies")
        yield f"… and {more} with such records; --json shows all"


def _frozen(plan: Plan) -> Iterable[str]:
    for account_id, why in sorted(plan.missing.items())[:SHOWN]:
        yield f"account {account_id} is {why}: its tasks, playbooks and fields stay as they are"
    if len(plan.missing) > SHOWN:
        yield f"… and {counted(len(plan.missing) - SHOWN, 'more account')} missing from the data; --json shows all"
    for account_id in plan.undecided[:SHOWN]:
        yield f"account {account_id} may be deleted (its deleted_at is unknown): its tasks, playbooks and fields stay"
    if len(plan.undecided) > SHOWN:
        yield f"… and {counted(len(plan.undecided) - SHOWN, 'more account')} that may be deleted; --json shows all"
    for account_id, why in sorted(plan.reused.items()):
        yield (
            f"account {account_id} is somebody else now ({why}): nothing is written for it. Decide: plgsync accounts "
            f"renew {account_id} (another account: forget the old one) or plgsync accounts keep {account_id} (the same)"
        )


def _without_zone(computed: Computed) -> list[str]:
    """The accounts whose ``account.tz`` names no time zone."""
    return sorted(one for one, fields in computed.accounts.items() if is_no_zone(fields.get("account.tz")))


def _unknown_zones(computed: Computed) -> Iterable[str]:
    found = _without_zone(computed)
    if found:
        names = some([account_name(computed, one) for one in found])
        have = counted(len(found), "account has", "accounts have")
        yield f"{have} an account.tz that is no time zone; their days are those of the calendar: {names}"


def _step_changes(computed: Computed) -> Iterable[str]:
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for one in computed.plan.steps:
        groups[one.playbook_id, one.key, one.at].append(account_name(computed, one.account_id))
    for (playbook_id, key, at), names in sorted(groups.items()):
        if at:
            go, was = counted(len(names), "account goes", "accounts go"), "" if at == key else f', which was "{key}"'
            yield f'{playbook_id}: after the edit {go} on at "{at}"{was}: {some(names)}'
        else:
            stop = counted(len(names), "account stops", "accounts stop")
            yield f'{playbook_id}: after the edit {stop}, because the step "{key}" is gone: {some(names)}'


def _shared(computed: Computed) -> Iterable[str]:
    by_reason: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in computed.plan.unmatched:
        if one.shared:
            by_reason[one.destination, one.shared].append(account_name(computed, one.account_id))
    for (name, reason), accounts in sorted(by_reason.items()):
        yield f"{name}: {reason}: {some(accounts)}"


def _human_owned(computed: Computed) -> Iterable[str]:
    by_destination: dict[str, list[HumanOwnedField]] = defaultdict(list)
    for one in computed.plan.human_owned:
        by_destination[one.destination].append(one)
    for name, owned in by_destination.items():
        records = len({one.record_id for one in owned})
        fields = f"{counted(len(owned), 'field')} on {counted(records, 'record')}"
        yield f"{name}: {fields} left to people, who changed them (write: if_ours):"
        for one in owned[:SHOWN]:
            yield f"  {one.field} of {account_name(computed, one.account_id)}: {one.url}"
        if len(owned) > SHOWN:
            yield f"  … and {len(owned) - SHOWN} more; --json shows all"
