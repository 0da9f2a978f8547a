"""The records that accounts have beside the one of their company (``record: parent``).

An account below the top of its company may have a record of its own: from the time before the accounts shared one, or
because a person made it. Such a record is *spare*: nothing is written to it, and every plan names it until a person
deletes it, merges it into another one or empties the account id on it. A company without a record takes over the one
of its accounts, if they have exactly one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Connection

from connectors.base import Match, MatchKey
from worker.planning.crm_view import CrmView
from worker.store.crm import GONE, Record, load_records, record_of, unmatched
from worker.store.shares import load_shares


def spare_records(view: CrmView) -> list[Record]:
    """The spare records of a CRM as this run knows them, by account id."""
    return _spare(view.readings.records, view.readings.companies)


def stored_spare_records(connection: Connection, destination: str) -> list[Record]:
    """The spare records of a CRM as the last run left them, by account id."""
    companies = {account_id: share.company for account_id, share in load_shares(connection, destination).items()}
    return _spare(load_records(connection, destination), companies)


def _spare(records: Mapping[str, Record], companies: Mapping[str, str]) -> list[Record]:
    return [record for a, record in sorted(records.items()) if record.record_id and companies.get(a, a) != a]


def check_spare_records(view: CrmView) -> None:
    """Ask the CRM which accounts have a record beside that of their company, and forget those that are gone.

    Three groups are asked for in one call: accounts with a spare record, the top accounts above them, and every account
    of a company without a record, which may be found by the id of any of them. This happens in every run, a hundred
    records per call, because HubSpot reports no deleted and no merged record among the changed ones. It ends when a
    person has cleared the spare records up.
    """
    spares = {record.account_id: record.record_id for record in spare_records(view)}
    companies = {view.company_of(account_id) for account_id in spares}
    tops = {company: record.record_id for company in sorted(companies) if (record := view.record_of(company))}
    homeless = [a for a, company in view.readings.companies.items() if a != company and not view.record_of(company)]
    asked = {**tops, **dict.fromkeys(homeless), **spares}
    if not asked:
        return
    keys = [MatchKey(account_id, record_id, {"account_id": account_id}) for account_id, record_id in asked.items()]
    matches = {match.account_id: match for match in view.connector.match(keys, view.requested_fields())}
    for account_id, record_id in tops.items():  # first, because what is spare depends on the record of the company
        if matches[account_id].record_id not in (None, record_id):
            _remember(view, matches[account_id])
    for account_id in (account_id for account_id in asked if account_id not in tops):
        if _is_spare(view, matches[account_id]):
            _remember(view, matches[account_id])
        elif account_id in spares:
            view.readings.records[account_id] = unmatched(account_id)


def _is_spare(view: CrmView, match: Match) -> bool:
    """Whether the CRM has a record with the id of this account, and it is not that of the company."""
    of_company = view.record_of(match.account_id)
    merged = of_company is not None and of_company.record_id == match.record_id
    has_id = match.values.get(view.settings.account.match_field) == match.account_id
    return match.record_id is not None and has_id and not merged


def _remember(view: CrmView, match: Match) -> None:
    view.readings.records[match.account_id] = record_of(match)
    view.update_snapshot(match.record_id or "", match.values)


def adopt_records(view: CrmView, *, of_gone: bool) -> None:
    """A company without a record takes over the spare record of its accounts, if they have exactly one.

    So the record stays when a company gets another top account, and when ``record: parent`` is switched on.
    ``of_gone``: also a company whose record is gone, once the CRM was asked which record that was merged into.
    """
    records, found = view.readings.records, defaultdict[str, list[Record]](list)
    for record in spare_records(view):
        found[view.company_of(record.account_id)].append(record)
    for company, spares in found.items():
        if len({record.record_id for record in spares}) == 1 and _has_none(view, company, of_gone=of_gone):
            records[company] = replace(spares[0], account_id=company)
            records.update({record.account_id: unmatched(record.account_id) for record in spares})


def _has_none(view: CrmView, company: str, *, of_gone: bool) -> bool:
    """Whether a company has no record, and none that may have been created or merged into another."""
    known, creation = view.readings.records.get(company), view.stored.creations.get(company)
    has_one = known and (known.record_id or (known.matched_by == GONE and not of_gone))
    return not has_one and not (creation and creation.may_exist)
