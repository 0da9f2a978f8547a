"""What the decisions want of every CRM, and what that makes of each record: one account's values, or a company's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.base.values import one_line
from worker.language.values import Fields, Value
from worker.planning.combine import Combined, combine, of_kind
from worker.planning.companies import by_company
from worker.planning.crm_view import CrmView
from worker.rules.actions import MakeTask
from worker.settings.combining import combine_of
from worker.settings.crm import DestinationSettings
from worker.settings.crm_fields import CrmField
from worker.settings.score_specs import spec_of
from worker.store.shares import Share


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


@dataclass(frozen=True, slots=True)
class DesiredRecord:
    """The record of one account, or of the company below it (``record: parent``).

    ``fields`` are those of the account, with which a new record starts. ``values`` are by our name of each field.
    ``members`` are the accounts that share the record; empty where each account has its own.
    """

    account_id: str
    fields: Fields
    values: Mapping[str, Combined]
    members: tuple[str, ...] = ()


def desired_records(view: CrmView, desired: Desired) -> Iterator[DesiredRecord]:
    """Every record that this CRM should have, by account id.

    Where accounts share records, ``view.readings.shares`` becomes what each account wants of its record now. Nothing
    changes of a company whose accounts are all frozen, or whose top account is frozen and has no last share.
    """
    sources = _sources(view.settings)
    if view.settings.account.record == "own":
        for account_id in sorted(desired.accounts):
            share = _share(view, desired, account_id, sources)
            values = {name: Combined(_value(share, name, one)) for name, one in view.settings.fields.items()}
            yield DesiredRecord(account_id, desired.accounts[account_id], values)
        return
    companies = by_company(view, {a: _share(view, desired, a, sources) for a in desired.accounts})
    view.readings.shares = {a: share for one in companies.values() if len(one) > 1 for a, share in one.items()}
    for company, shares in sorted(companies.items()):
        known = company in shares or company not in view.readings.frozen
        if known and not desired.accounts.keys().isdisjoint(shares):
            values = combined_values(view.settings, company, shares)
            alone = len(shares) == 1
            plain = {name: replace(one, accounts=()) for name, one in values.items()} if alone else values
            yield DesiredRecord(company, desired.accounts.get(company, {}), plain, () if alone else tuple(shares))


def combined_values(settings: DestinationSettings, company: str, shares: Mapping[str, Share]) -> dict[str, Combined]:
    """The value of every field of ours on the record of a company, by our name.

    The accounts that do not count are left out; when none counts, those count of which something is known, as one
    account alone does.
    """
    counted = {a: one for a, one in shares.items() if one.counts}
    counted = counted or {a: one for a, one in shares.items() if one.fields or one.set_fields}
    made = {}
    for name, entry in settings.fields.items():
        spec = spec_of(entry.from_) if entry.from_ else None
        main = {a: one.fields.get(spec.rank_field) for a, one in counted.items()} if spec else {}
        values = {a: of_kind(entry.type, _value(one, name, entry)) for a, one in counted.items()}
        made[name] = combine(combine_of(entry) or "top", values, company, main, entry.from_ or "")
    return made


def _value(share: Share, name: str, entry: CrmField) -> Value:
    return share.fields.get(entry.from_) if entry.from_ else share.set_fields.get(name)


def _share(view: CrmView, desired: Desired, account_id: str, sources: Collection[str]) -> Share:
    """What an account wants of its record. A field that keeps its published value keeps it in the share too."""
    fields, stored = desired.accounts[account_id], view.stored.shares.get(account_id)
    kept = stored.fields if stored else {}
    return Share(
        company=view.company_of(account_id),
        counts=fields.get("account.deleted_at") is None and fields.get("account.is_internal") is not True,
        fields={
            name: kept[name] if name in desired.unchanged and name in kept else fields.get(name) for name in sources
        },
        set_fields=desired.set_fields.get(account_id, {}),
    )


def _sources(settings: DestinationSettings) -> Collection[str]:
    """The fields of an account from which values are made, the ranks of scores included."""
    named = [entry.from_ for entry in settings.fields.values() if entry.from_]
    ranks = [spec.rank_field for name in named if (spec := spec_of(name))]
    return dict.fromkeys([*named, *ranks])


def with_workspaces(view: CrmView, tasks: Iterable[MakeTask], accounts: Mapping[str, Fields]) -> Iterator[MakeTask]:
    """The tasks; one that goes to a record of several accounts and does not name its own gets a line that does."""
    sizes = Counter(view.readings.companies.values())
    for task in tasks:
        name = one_line(str(accounts.get(task.account_id, {}).get("account.name") or task.account_id))
        alone = sizes[view.company_of(task.account_id)] < 2
        is_named = name in task.subject or name in task.body
        body = f"{one_line(f'Account: {name} ({task.account_id})')}\n\n{task.body}".strip()
        yield task if alone or is_named else replace(task, body=body)
