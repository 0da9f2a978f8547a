"""The company of each account (``record: parent``): which accounts share the record of the account on top of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from worker.language.values import Fields
from worker.planning.crm_view import CrmView
from worker.planning.spare_records import adopt_records, spare_records
from worker.signals.companies import MOST_LEVELS
from worker.store.crm import unmatched
from worker.store.shares import Share


def companies_of(parents: Mapping[str, str | None], vanished: Mapping[str, str]) -> dict[str, str]:
    """Account → the account at the top of its parents, as `worker.signals.companies` has it.

    ``parents`` are those of every account of the data; a parent that is no account ends the chain, and an account in a
    circle, or below one, is a company of its own. ``vanished``: the last known company of each account that the data
    does not have in this run. Its chain goes on there, so that a missing account splits no company.
    """
    above = {**vanished, **parents}
    return {account_id: _top(account_id, above) for account_id in above}


def _top(account_id: str, above: Mapping[str, str | None]) -> str:
    at = account_id
    for _ in range(MOST_LEVELS + 1):
        parent = above.get(at)
        if parent is None or parent == at or parent not in above:
            return at
        at = parent
    return account_id


def place_accounts(views: Iterable[CrmView], parents: Mapping[str, str | None], frozen: Collection[str]) -> None:
    """Note in each view which accounts share a record in this run; nothing where each account has its own.

    ``frozen`` accounts, which are missing or somebody else's, stay in the company of the run before, if they had one.
    """
    for view in views:
        if view.settings.account.record == "parent":
            _place(view, parents, frozenset(frozen))


def _place(view: CrmView, parents: Mapping[str, str | None], frozen: frozenset[str]) -> None:
    stored = {a: share.company for a, share in view.stored.shares.items() if a in frozen}
    alone = {a: a for a in frozen if a not in stored}
    seen = {a: parent for a, parent in parents.items() if a not in stored}
    companies = companies_of(seen, {**alone, **stored})
    view.readings.companies, view.readings.frozen = companies, frozen
    view.readings.last_shares = {a: replace(view.stored.shares[a], company=companies[a]) for a in stored}
    _forget_searches(view)
    adopt_records(view, of_gone=False)


def _forget_searches(view: CrmView) -> None:
    """An account that shares a record is not searched for: what it could be is no claim any more."""
    for account_id, record in list(view.readings.records.items()):
        if record.status == "ambiguous" and view.company_of(account_id) != account_id:
            view.readings.records[account_id] = unmatched(account_id)


def handed_over(view: CrmView) -> list[str]:
    """The accounts that share a record and for which one was made that is theirs no more."""
    kept = {record.account_id for record in spare_records(view)}
    return [
        account_id
        for account_id, creation in view.stored.creations.items()
        if creation.state == "done" and view.company_of(account_id) != account_id and account_id not in kept
    ]


def to_match(view: CrmView, accounts: Mapping[str, Fields]) -> Mapping[str, Fields]:
    """The fields by which each record is found: its own account's, or those of the company's top account.

    A top account of which nothing is known is found by its id alone.
    """
    if view.settings.account.record != "parent":
        return accounts
    tops = {view.company_of(account_id) for account_id in accounts}
    return {company: accounts.get(company, {}) for company in sorted(tops)}


def by_company(view: CrmView, accounts: Mapping[str, Share]) -> dict[str, dict[str, Share]]:
    """Company → the shares of its accounts, the top account's first and the others by id.

    ``accounts`` are the shares of this run. An account that is frozen keeps its last share; one that is in the data and
    not among ``accounts`` does not count (it is deleted, internal or excluded).
    """
    readings = view.readings
    left_out = {
        a: Share(company=company, counts=False) for a, company in readings.companies.items() if a not in readings.frozen
    }
    everybody = {**left_out, **readings.last_shares, **accounts}
    found: dict[str, dict[str, Share]] = defaultdict(dict)
    for account_id in sorted(everybody, key=lambda a: (everybody[a].company != a, a)):
        found[everybody[account_id].company][account_id] = everybody[account_id]
    return found
