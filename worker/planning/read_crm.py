"""What the CRMs say at the start of a run: where accounts live, who owns them, open deals, our tasks.

Reading changes nothing in a CRM, and nothing in the store until `save_view`, so that a plan can read
exactly what a run would.
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
    QuotaExhausted,
    RecordFact,
    Scalar,
    TaskFact,
)
from worker.language.values import Fields
from worker.planning.crm_view import CrmView, written_fields
from worker.planning.owners import People
from worker.store import crm as store
from worker.store.crm import Record
from worker.telemetry.tracing import span

log = structlog.get_logger()


def read_crm(view: CrmView, accounts: Mapping[str, Fields]) -> None:
    """Read the CRM into the view; a CRM that cannot be read leaves the view as stored, with its problem."""
    before = view.connector.usage().calls
    with span("read crm", calls_out=True) as reading:
        _read_crm(view, accounts)
        reading.note(calls=view.connector.usage().calls - before, changed=len(view.changed), deals=len(view.deal_facts))
        if view.problem:
            reading.fail(view.problem_kind)


def _read_crm(view: CrmView, accounts: Mapping[str, Fields]) -> None:
    try:
        view.specs = view.connector.describe("account")
        if view.settings.account.match_field not in view.specs:
            view.problem_kind = "NoMatchField"
            view.problem = (
                f"{view.settings.account.object} has no field {view.settings.account.match_field} that we can see; "
                f"run: plgsync crm setup {view.name}"
            )
            return
        view.people = People(view.connector.owners(), view.people.queues, view.people.load)
        _read_changes(view)
        _match_accounts(view, accounts)
    except CallFailed as error:
        view.problem, view.problem_kind = str(error), _kind_of(error)
        log.warning("crm not read", destination=view.name, reason=view.problem)


def _kind_of(error: CallFailed) -> str:
    """The error as the taxonomy names it, whatever a connector calls its own kind of it."""
    return next((kind.__name__ for kind in (AccessDenied, QuotaExhausted) if isinstance(error, kind)), "Unavailable")


def _asked_fields(view: CrmView) -> list[str]:
    wanted = [*written_fields(view.settings), *view.settings.read.values()]
    return [name for name in dict.fromkeys(wanted) if name in view.specs]


def _read_changes(view: CrmView) -> None:
    open_tasks = {row.key: row.task_id for row in view.tasks.values() if row.is_open}
    read = view.connector.read_back(view.cursor, _asked_fields(view), open_tasks)
    view.cursor = read.cursor
    view.task_facts = [fact for fact in read.facts if isinstance(fact, TaskFact)]
    view.deal_facts = [fact for fact in read.facts if isinstance(fact, DealFact)]
    for task in view.task_facts:
        if task.key in view.tasks:
            view.tasks[task.key] = replace(view.tasks[task.key], status=task.status, owner_id=task.owner_id)
    for deal in view.deal_facts:
        view.deals[deal.id] = deal
    _apply_record_facts(view, [fact for fact in read.facts if isinstance(fact, RecordFact)])


def _apply_record_facts(view: CrmView, facts: Iterable[RecordFact]) -> None:
    account_of = {record.record_id: account_id for account_id, record in view.records.items() if record.record_id}
    for fact in facts:
        holder, named = account_of.get(fact.record_id), _named_account(view, fact)
        if holder is not None:
            view.records[holder] = view.changed[holder] = store.apply_record_fact(view.records[holder], fact)
            if not fact.deleted:
                _see_values(view, fact.record_id, fact.values)
        if named is not None and named != holder:
            _match_afresh(view, *(account_id for account_id in (holder, named) if account_id in view.records))


def _named_account(view: CrmView, fact: RecordFact) -> str | None:
    """The account whose id the record carries now; a person may have moved the id there."""
    named = None if fact.deleted else fact.values.get(view.settings.account.match_field)
    return None if named is None else str(named)


def _match_afresh(view: CrmView, *accounts: str) -> None:
    """The match field says otherwise than we remember: these accounts are looked for anew, in this very run."""
    for account_id in accounts:
        view.records[account_id] = view.changed[account_id] = store.unmatched(account_id)


def _see_values(view: CrmView, record_id: str, values: Mapping[str, Scalar]) -> None:
    """The CRM shows these values now, so they are what the next plan compares with."""
    ours = set(written_fields(view.settings))
    seen = {name: value for name, value in values.items() if name in ours}
    before = view.snapshot.get(record_id, {})
    view.snapshot[record_id] = {**before, **seen}
    if view.snapshot[record_id] != before:
        view.fresh[record_id] = view.snapshot[record_id]


def _match_accounts(view: CrmView, accounts: Mapping[str, Fields]) -> None:
    tried: set[str] = set()
    while lost := [a for a in accounts if a not in tried and _is_to_find(view, a)]:
        tried.update(lost)
        keys = [_match_key(view, account_id, accounts[account_id]) for account_id in lost]
        matches = view.connector.match(keys, _asked_fields(view))
        holders = {record.record_id: a for a, record in view.records.items() if record.record_id}
        for match in _without_shared(view, matches, holders):
            _take_match(view, match, _other_holder(holders, match))


def _take_match(view: CrmView, match: Match, holder: str | None) -> None:
    """Remember where an account lives; ``holder``, who was taken to live there, is looked for anew."""
    known = view.records.get(match.account_id)
    record = _learnt(known, store.record_of(match))
    if record != known:
        view.changed[match.account_id] = record
    view.records[match.account_id] = record
    if match.record_id is None:
        return
    if holder is not None:
        _match_afresh(view, holder)
    _see_values(view, match.record_id, {name: match.values.get(name) for name in _asked_fields(view)})
    if known and _is_new(known):
        _see_whose(view, match.record_id)


def _other_holder(holders: Mapping[str, str], match: Match) -> str | None:
    """Who else was taken to live in this record."""
    holder = holders.get(match.record_id or "")
    return None if holder == match.account_id else holder


def _is_to_find(view: CrmView, account_id: str) -> bool:
    record = view.record_of(account_id)
    return record is None or _is_new(record)


def _is_new(record: Record) -> bool:
    return record.matched_by == store.CREATED


def _learnt(known: Record | None, found: Record) -> Record:
    """What is known after looking: a record we just made may not be found yet, one that was deleted stays so."""
    if known and found.status == "missing":
        return known if _is_new(known) or known.matched_by == store.GONE else found
    return found


def _see_whose(view: CrmView, record_id: str) -> None:
    """A record that we made or found made: only what it shows now of what we sent counts as written by us."""
    shown, written = view.snapshot[record_id], view.written.get(record_id, {})
    still = {name: value for name, value in written.items() if shown.get(name) == value}
    if still != written:
        view.written[record_id] = view.rewritten[record_id] = still


def _match_key(view: CrmView, account_id: str, fields: Fields) -> MatchKey:
    names = {fallback.account_field for fallback in view.settings.account.match_fallbacks()}
    values = {name: str(fields[name]) for name in names if fields.get(name) is not None}
    known = view.records.get(account_id)
    return MatchKey(account_id, known.record_id if known else None, {**values, "account_id": account_id})


def _without_shared(view: CrmView, matches: Sequence[Match], holders: Mapping[str, str]) -> list[Match]:
    """Two accounts on one record is a guess: the one whose id the record carries keeps it, else nobody does."""
    claims: dict[str, list[Match]] = defaultdict(list)
    for match in matches:
        if match.record_id:
            claims[match.record_id].append(match)
    result = []
    for match in matches:
        rivals = claims.get(match.record_id or "", [])
        holder = _other_holder(holders, match)
        sure = match.by == view.settings.account.match_field
        others_sure = any(r is not match and r.by == view.settings.account.match_field for r in rivals)
        if match.record_id and not (sure and not others_sure) and (len(rivals) > 1 or holder):
            shared = Match(account_id=match.account_id, status="ambiguous", candidates=(match.record_id,))
            result.append(shared)
        else:
            result.append(match)
    return result
