"""Reading a CRM at the start of a run: the record of each account, its owner and open deals, and our tasks.

Reading changes nothing in the CRM, and nothing in the state database until `save_view`, so that a plan reads exactly
what a run would.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import structlog

from connectors.base import (
    AccessDenied,
    CallFailed,
    DealFact,
    Match,
    MatchKey,
    OurTask,
    QuotaExhausted,
    RecordFact,
    TaskFact,
)
from worker.language.values import Fields
from worker.planning.companies import to_match
from worker.planning.crm_view import CrmView
from worker.planning.identity import identities
from worker.planning.lost_state import NEWEST
from worker.planning.owners import People
from worker.planning.spare_records import adopt_records, check_spare_records
from worker.rules.task_keys import key_prefix
from worker.store import crm as store
from worker.store.crm import Record
from worker.telemetry.tracing import span

log = structlog.get_logger()


def read_crm(view: CrmView, accounts: Mapping[str, Fields]) -> None:
    """Read the CRM into ``view.readings``; a CRM that cannot be read leaves its problem there."""
    readings, before = view.readings, view.connector.usage().calls
    with span("read crm", calls_out=True) as reading:
        _read_crm(view, accounts)
        calls = view.connector.usage().calls - before
        reading.set_attributes(calls=calls, changed=len(view.changed_records()), deals=len(readings.deal_facts))
        if readings.problem:
            reading.fail(readings.problem_kind)


def _read_crm(view: CrmView, accounts: Mapping[str, Fields]) -> None:
    readings = view.readings
    try:
        readings.specs = view.connector.describe("account")
        if view.settings.account.match_field not in readings.specs:
            readings.problem_kind = "NoMatchField"
            readings.problem = (
                f"{view.settings.account.object} has no field {view.settings.account.match_field} that we can see; "
                f"run: plgsync crm setup {view.name}"
            )
            return
        readings.people = People(view.connector.owners(), readings.people.queues, readings.people.load)
        readings.newest_tasks = _newest_tasks(view)
        _read_changes(view)
        _match_accounts(view, to_match(view, accounts))
        if accounts and view.settings.account.record == "parent":
            check_spare_records(view)
            adopt_records(view, of_gone=True)
    except CallFailed as error:
        readings.problem, readings.problem_kind = str(error), _kind_of(error)
        log.warning("crm not read", destination=view.name, reason=readings.problem)


def _newest_tasks(view: CrmView) -> Sequence[OurTask]:
    """None where our user may not see their key: then it cannot create tasks either, but it can write fields."""
    if not view.settings.tasks or not view.settings.tasks.enabled:
        return ()
    try:
        return [task for one in view.project_ids for task in view.connector.our_tasks(key_prefix(one), NEWEST)]
    except AccessDenied as error:
        log.warning("tasks not read", destination=view.name, reason=str(error))
        return ()


def _kind_of(error: CallFailed) -> str:
    """The name of the error in the taxonomy, not of the connector's own subclass."""
    return next((kind.__name__ for kind in (AccessDenied, QuotaExhausted) if isinstance(error, kind)), "Unavailable")


def _read_changes(view: CrmView) -> None:
    readings = view.readings
    open_tasks = {row.key: row.task_id for row in readings.tasks.values() if row.is_open}
    read = view.connector.read_back(readings.cursor, view.requested_fields(), open_tasks)
    readings.cursor = read.cursor
    readings.task_facts = [fact for fact in read.facts if isinstance(fact, TaskFact)]
    readings.deal_facts = [fact for fact in read.facts if isinstance(fact, DealFact)]
    for task in readings.task_facts:
        if known := readings.tasks.get(task.key):
            readings.tasks[task.key] = replace(
                known,
                status=task.status,
                owner_id=task.owner_id,
                completed_at=task.completed_at.isoformat() if task.completed_at else None,
            )
    readings.deals.update({deal.id: deal for deal in readings.deal_facts})
    _apply_record_facts(view, [fact for fact in read.facts if isinstance(fact, RecordFact)])


def _apply_record_facts(view: CrmView, facts: Iterable[RecordFact]) -> None:
    records = view.readings.records
    account_of = {record.record_id: account_id for account_id, record in records.items() if record.record_id}
    for fact in facts:
        known, carried = account_of.get(fact.record_id), _carried_account(view, fact)
        if known is not None and fact.deleted and view.company_of(known) != known:
            records[known] = store.unmatched(known)  # its company has a record, so nobody misses this one
        elif known is not None:
            records[known] = store.apply_record_fact(records[known], fact)
            if not fact.deleted:
                view.update_snapshot(fact.record_id, fact.values)
        if carried is not None and carried != known:
            _match_again(view, *(account_id for account_id in (known, carried) if account_id in records))


def _carried_account(view: CrmView, fact: RecordFact) -> str | None:
    """The account whose id the record carries now; a person may have moved the id there.

    The id of an account that shares the record of its company names no record.
    """
    carried = None if fact.deleted else fact.values.get(view.settings.account.match_field)
    account_id = None if carried is None else str(carried)
    return account_id if view.readings.companies.get(account_id or "", account_id) == account_id else None


def _match_again(view: CrmView, *accounts: str) -> None:
    """The match field contradicts what is stored: this run searches the records of these accounts again."""
    for account_id in accounts:
        view.readings.records[account_id] = store.unmatched(account_id)


def _match_accounts(view: CrmView, accounts: Mapping[str, Fields]) -> None:
    view.readings.identities = identities(view.settings.account, view.shared_domains, accounts)
    tried: set[str] = set()
    while unmatched := [a for a in accounts if a not in tried and _is_to_match(view, a)]:
        tried.update(unmatched)
        keys = [_match_key(view, account_id) for account_id in unmatched]
        matches = view.connector.match(keys, view.requested_fields())
        matched = {record.record_id: a for a, record in view.readings.records.items() if record.record_id}
        for match in _without_shared(view, matches, matched):
            _apply_match(view, match, _other_account(matched, match))


def _apply_match(view: CrmView, match: Match, other: str | None) -> None:
    """Remember the record of an account; ``other``, the account that was matched to it, is matched again."""
    known = view.readings.records.get(match.account_id)
    view.readings.records[match.account_id] = _record_after(known, store.record_of(match))
    if match.record_id is None:
        return
    if other is not None:
        _match_again(view, other)
    view.update_snapshot(match.record_id, {name: match.values.get(name) for name in view.requested_fields()})
    if known and _is_new(known):
        _confirm_written(view, match.record_id)


def _other_account(matched: Mapping[str, str], match: Match) -> str | None:
    """Another account that was matched to this record."""
    account_id = matched.get(match.record_id or "")
    return None if account_id == match.account_id else account_id


def _is_to_match(view: CrmView, account_id: str) -> bool:
    record = view.record_of(account_id)
    return record is None or _is_new(record)


def _is_new(record: Record) -> bool:
    return record.matched_by == store.CREATED


def _record_after(known: Record | None, found: Record) -> Record:
    """The record after a search: one we just created may not be found yet, and a deleted one stays deleted."""
    if known and found.status == "missing":
        return known if _is_new(known) or known.matched_by == store.GONE else found
    return found


def _confirm_written(view: CrmView, record_id: str) -> None:
    """Of a record that we created or found created, only the values it still shows count as written by us."""
    shown, written = view.readings.snapshot[record_id], view.readings.written.get(record_id, {})
    view.readings.written[record_id] = {name: value for name, value in written.items() if shown.get(name) == value}


def _match_key(view: CrmView, account_id: str) -> MatchKey:
    """A record that is gone may have been merged into another: the CRM finds that one by the id of the former."""
    known = view.readings.records.get(account_id)
    values = view.readings.identities[account_id].values
    was = known.candidates[0] if known and known.matched_by == store.GONE and known.candidates else None
    return MatchKey(account_id, (known and known.record_id) or was, {**values, "account_id": account_id})


def _without_shared(view: CrmView, matches: Sequence[Match], matched: Mapping[str, str]) -> list[Match]:
    """Two accounts on one record are ambiguous, except for the account whose id the record carries."""
    claims: dict[str, list[Match]] = defaultdict(list)
    for match in matches:
        if match.record_id:
            claims[match.record_id].append(match)
    result = []
    for match in matches:
        rivals = claims.get(match.record_id or "", [])
        other = _other_account(matched, match)
        other = None if view.company_of(other or "") == match.account_id else other
        sure = match.by == view.settings.account.match_field
        others_sure = any(r is not match and r.by == view.settings.account.match_field for r in rivals)
        if match.record_id and not (sure and not others_sure) and (len(rivals) > 1 or other):
            result.append(Match(account_id=match.account_id, status="ambiguous", candidates=(match.record_id,)))
        else:
            result.append(match)
    return result
