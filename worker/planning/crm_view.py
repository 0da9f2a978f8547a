"""One CRM in one run: what the state database held of it, and what the run read from it, until that is saved."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from connectors.base import Connector, Cursor, DealFact, FieldSpec, OurTask, Scalar, TaskFact
from worker.delivery.backlog import (
    DecidedTask,
    WaitingTask,
    attempted_fields,
    closing_keys,
    parked_fields,
    tasks_decided_since,
    waiting_tasks,
)
from worker.delivery.record_outbox import Creation, load_creations
from worker.planning.identity import Identity
from worker.planning.owners import People
from worker.planning.shared_domains import ONLY_LISTS, SharedDomains
from worker.settings.crm import CrmSettings, DestinationSettings
from worker.settings.environment import UNNAMED_PROJECT
from worker.store import crm as store
from worker.store.crm import Record, TaskRow
from worker.store.engine import database_time
from worker.store.job_results import record_job_result
from worker.store.ledger import unanswered_values
from worker.store.shares import Share, load_shares, save_shares

_LONGER_THAN_ANY_DAY = timedelta(days=2)
Values = Mapping[str, Mapping[str, Scalar]]
"""By record id and CRM field."""
Candidates = Mapping[str, Mapping[str, Sequence[Scalar]]]
"""By record id and CRM field: the values that the field may hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCrm:
    """What the state database holds of one CRM when a run starts. Nothing changes it during the run.

    ``snapshot`` are the values that the CRM confirmed or showed last, ``written`` those that we wrote last.
    ``attempted`` are the values that still wait for an answer. ``unanswered`` are those of the last day that never got
    one: the CRM may have applied them after newer ones. ``decided`` are the tasks of the last two days. ``shares`` are
    those of the last run, also where each account has its own record now. ``loaded_at`` is the database's time.
    """

    records: Mapping[str, Record] = field(default_factory=dict)
    snapshot: Values = field(default_factory=dict)
    written: Values = field(default_factory=dict)
    attempted: Candidates = field(default_factory=dict)
    unanswered: Candidates = field(default_factory=dict)
    deals: Mapping[str, DealFact] = field(default_factory=dict)
    tasks: Mapping[str, TaskRow] = field(default_factory=dict)
    cursor: Cursor = field(default_factory=dict)
    waiting: Sequence[WaitingTask] = ()
    decided: Sequence[DecidedTask] = ()
    parked: Values = field(default_factory=dict)
    closing: frozenset[str] = frozenset()
    creations: Mapping[str, Creation] = field(default_factory=dict)
    shares: Mapping[str, Share] = field(default_factory=dict)
    loaded_at: float = 0.0


@dataclass(slots=True, kw_only=True)
class CrmReadings:
    """The state of one CRM after this run has read it; it starts as what was stored, and `read_crm` updates it.

    ``identities`` say by which values each account may be found.
    ``companies``: account → the account whose record it shares, where accounts share records (`place_accounts`).
    ``shares`` are what each of them wants of it, ``last_shares`` those of ``frozen`` accounts.
    ``sent_meanwhile`` are the values that a delivery sent while the CRM was read.
    ``newest_tasks`` are the newest tasks of this project that the CRM has, whether we know them or not.
    ``problem`` says why the CRM could not be read, and ``problem_kind`` names the error; then nothing is planned for
    this CRM.
    """

    records: dict[str, Record]
    snapshot: dict[str, Mapping[str, Scalar]]
    written: dict[str, Mapping[str, Scalar]]
    deals: dict[str, DealFact]
    tasks: dict[str, TaskRow]
    cursor: Cursor
    people: People
    specs: Mapping[str, FieldSpec] = field(default_factory=dict)
    identities: Mapping[str, Identity] = field(default_factory=dict)
    newest_tasks: Sequence[OurTask] = ()
    sent_meanwhile: Candidates = field(default_factory=dict)
    task_facts: Sequence[TaskFact] = ()
    deal_facts: Sequence[DealFact] = ()
    companies: Mapping[str, str] = field(default_factory=dict)
    frozen: frozenset[str] = frozenset()
    shares: Mapping[str, Share] = field(default_factory=dict)
    last_shares: Mapping[str, Share] = field(default_factory=dict)
    problem: str = ""
    problem_kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrmView:
    """One CRM as a run sees it: ``stored`` before anything is read from it, ``readings`` from then on."""

    name: str
    settings: DestinationSettings
    connector: Connector
    stored: StoredCrm
    readings: CrmReadings
    shared_domains: SharedDomains = ONLY_LISTS
    project_ids: Sequence[str] = (UNNAMED_PROJECT,)

    def record_of(self, account_id: str) -> Record | None:
        """The matched record of an account, or None."""
        record = self.searched(account_id)
        return record if record and record.record_id else None

    def searched(self, account_id: str) -> Record | None:
        """What the search for the record of an account found, or None; its company's where accounts share records."""
        return self.readings.records.get(self.company_of(account_id))

    def company_of(self, account_id: str) -> str:
        """The account whose record this account has: its own, or that of the top account of its company."""
        return self.readings.companies.get(account_id, account_id)

    def requested_fields(self) -> list[str]:
        """The CRM fields to read: those we write, our match field included, and those that playbooks read."""
        wanted = [*_written_fields(self.settings), *self.settings.read.values()]
        return [name for name in dict.fromkeys(wanted) if name in self.readings.specs]

    def update_snapshot(self, record_id: str, values: Mapping[str, Scalar]) -> None:
        """Note the values of our fields that the CRM shows now; the next plan compares with them."""
        ours = set(_written_fields(self.settings))
        shown = {name: value for name, value in values.items() if name in ours}
        self.readings.snapshot[record_id] = {**self.readings.snapshot.get(record_id, {}), **shown}

    def claims(self) -> dict[str, set[str]]:
        """Record id → the accounts that have it or could have it."""
        claims: dict[str, set[str]] = defaultdict(set)
        for account_id, record in self.readings.records.items():
            for record_id in (record.record_id, *record.candidates):
                if record_id and record.matched_by != store.GONE:
                    claims[record_id].add(account_id)
        return claims

    def changed_records(self) -> list[Record]:
        """The records that the run found to be other than stored."""
        before = self.stored.records
        return [record for account_id, record in self.readings.records.items() if before.get(account_id) != record]


def crm_view(
    name: str,
    settings: DestinationSettings,
    connector: Connector,
    stored: StoredCrm,
    people: People,
    shared_domains: SharedDomains = ONLY_LISTS,
    project_ids: Sequence[str] = (UNNAMED_PROJECT,),
) -> CrmView:
    """The view of a CRM from which nothing has been read."""
    shares = stored.shares if settings.account.record == "parent" else {}
    readings = CrmReadings(
        records=dict(stored.records),
        snapshot=dict(stored.snapshot),
        written=dict(stored.written),
        deals=dict(stored.deals),
        tasks=dict(stored.tasks),
        cursor=stored.cursor,
        people=people,
        companies={account_id: share.company for account_id, share in shares.items()},
        shares=shares,
    )
    return CrmView(
        name=name,
        settings=settings,
        connector=connector,
        stored=stored,
        readings=readings,
        shared_domains=shared_domains,
        project_ids=project_ids,
    )


def _written_fields(settings: DestinationSettings) -> tuple[str, ...]:
    return (settings.account.match_field, *(entry.field for entry in settings.fields.values()))


def load_view(connection: Connection, name: str, crm: CrmSettings, connector: Connector, as_of: datetime) -> CrmView:
    """The view of one CRM as stored, for a run as of this moment."""
    tasks = {row.key: row for row in store.load_tasks(connection) if row.destination == name}
    load = Counter(row.owner_id for row in tasks.values() if row.is_open and row.owner_id)
    stored = StoredCrm(
        loaded_at=database_time(connection),
        records=store.load_records(connection, name),
        snapshot=store.load_snapshot(connection, name),
        written=store.load_written(connection, name),
        attempted=attempted_fields(connection, name),
        unanswered=unanswered_values(connection, name),
        deals={deal.id: deal for deal in store.load_deals(connection, name)},
        tasks=tasks,
        cursor=store.load_cursor(connection, name),
        waiting=waiting_tasks(connection, name),
        decided=tasks_decided_since(connection, name, as_of - _LONGER_THAN_ANY_DAY),
        parked=parked_fields(connection, name),
        closing=closing_keys(connection, name),
        creations=load_creations(connection, name),
        shares=load_shares(connection, name),
    )
    shared = SharedDomains(frozenset(crm.shared_domains), frozenset(crm.company_domains))
    people = People((), crm.queues, load)
    return crm_view(name, crm.destinations[name], connector, stored, people, shared, crm.project_ids)


def save_view(connection: Connection, view: CrmView) -> None:
    """Store what was read and whether the CRM could be read, in the run's own transaction."""
    readings, stored = view.readings, view.stored
    record_job_result(connection, view.name, "crm", readings.problem_kind, readings.problem)
    if readings.problem:
        return
    store.save_records(connection, view.name, view.changed_records())
    store.save_snapshot(connection, view.name, _changed_fields(stored.snapshot, readings.snapshot))
    store.save_written(connection, view.name, _changed(stored.written, readings.written))
    store.save_task_facts(connection, view.name, readings.task_facts)
    store.save_deals(connection, view.name, readings.deal_facts)
    store.save_cursor(connection, view.name, readings.cursor)
    save_shares(connection, view.name, stored.shares, readings.shares)


def _changed_fields(before: Values, after: Values) -> dict[str, Mapping[str, Scalar]]:
    changed = {
        record_id: {name: value for name, value in values.items() if name not in was or was[name] != value}
        for record_id, values in after.items()
        if (was := before.get(record_id, {})) != values
    }
    return {record_id: values for record_id, values in changed.items() if values}


def _changed(before: Values, after: Values) -> dict[str, Mapping[str, Scalar]]:
    return {record_id: values for record_id, values in after.items() if before.get(record_id, {}) != values}
