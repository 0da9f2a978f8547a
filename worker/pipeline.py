"""One run, readable from top to bottom: read, measure, score, decide, plan, commit, deliver.

Everything a run decides commits in one transaction with the outbox rows it leads to; delivery comes
after and can die at any point. `compute` alone writes nothing anywhere, which is what a plan is.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import Connection, Engine

from connectors.base import Connector, Usage
from connectors.registry import connect
from worker.deciding import decide_all
from worker.delivery.crm_facts import CrmFacts
from worker.delivery.guard import check_plan
from worker.delivery.outbox import give_back_leases, withdraw_tasks
from worker.delivery.plan import Plan
from worker.delivery.planning import Desired, make_plan
from worker.delivery.queueing import queue_plan
from worker.delivery.reading import CrmView, load_view, read_crm, save_view
from worker.delivery.send import Delivery, deliver_patiently, fewest_write_calls
from worker.language.values import Fields, Value
from worker.measuring import measure, pql_playbooks, score
from worker.rules.actions import MakeTask
from worker.rules.decide import PlaybookRun
from worker.rules.membership import Membership
from worker.scores import Scored, ScoreMemory
from worker.settings.problems import Problem
from worker.settings.project import Project
from worker.store import state
from worker.store.engine import transact
from worker.store.journal import StoreJournal
from worker.store.lock import exclusive_run

log = structlog.get_logger()

INLINE_OWNER = "inline:"
_PATIENCE_S = 20.0


class BackInTime(Exception):
    """State has moved past the moment asked for; a run or a plan can only go forward."""


class PlanMoved(Exception):
    """The approved plan no longer holds: data, settings or the CRM changed since it was made."""


@dataclass(frozen=True, slots=True)
class Approved:
    """A plan that a person has seen and wants: its fingerprint, and whether it lets paused playbooks go on."""

    fingerprint: str
    resumed: bool = False


@dataclass(slots=True)
class Computed:
    """Everything one run knows before it writes: fields and scores per account, decisions, and the plan.

    ``refused`` are the problems of playbooks that were left out because their files are wrong.
    """

    as_of: datetime
    accounts: dict[str, dict[str, Value]]
    scored: dict[str, Scored]
    playbooks: dict[str, PlaybookRun]
    memberships: dict[str, dict[str, Membership]]
    views: list[CrmView]
    plan: Plan
    volume: tuple[int, int]
    refused: tuple[Problem, ...] = ()


@dataclass(slots=True)
class RunReport:
    """What one run did; by destination the API calls it made and the fewest that could have written the same."""

    run_id: str
    computed: Computed
    deliveries: list[Delivery] = field(default_factory=list)
    calls: dict[str, Usage] = field(default_factory=dict)
    fewest_write_calls: dict[str, int] = field(default_factory=dict)

    @property
    def unfinished(self) -> str:
        """Why a destination could not be read or written to the end; empty when all is done."""
        stopped = {one.destination: one.stopped for one in self.deliveries if one.stopped}
        return "; ".join(f"{name}: {why}" for name, why in {**stopped, **self.computed.plan.problems}.items())


def connect_all(project: Project, engine: Engine | None = None) -> dict[str, Connector]:
    """One connector for each destination of the project; with an ``engine`` it can go on where a crash stopped it."""
    return {
        name: connect(project.crm.to_destination(name, project.root), StoreJournal(engine, name) if engine else None)
        for name in project.crm.destinations
    }


def run(
    project: Project,
    engine: Engine,
    connectors: Mapping[str, Connector],
    as_of: datetime,
    *,
    now: Callable[[], datetime],
    wait: Callable[[float], None],
    first_run: bool = False,
    approved: Approved | None = None,
) -> RunReport:
    """Compute and deliver inline, one run at a time on this state database.

    With a plan that a person has approved, the run goes on only if the plan still holds, and the guard is waived.
    Raises `UnsafePlan`, `PlanMoved`, `BackInTime`, `StaleData`, `SourceError` or `Busy`; then nothing is queued.
    """
    with exclusive_run(engine):
        if engine.dialect.name == "sqlite":
            give_back_leases(engine, INLINE_OWNER)
        before = {name: connector.usage() for name, connector in connectors.items()}
        report = compute_and_commit(project, engine, connectors, as_of, first_run=first_run, approved=approved)
        report.deliveries = deliver_all(engine, connectors, now=now, wait=wait, owner=INLINE_OWNER)
    report.fewest_write_calls = {
        one.destination: fewest_write_calls(connectors[one.destination], one.applied) for one in report.deliveries
    }
    report.calls = {name: _calls_since(connector, before[name]) for name, connector in connectors.items()}
    return report


def compute_and_commit(
    project: Project,
    engine: Engine,
    connectors: Mapping[str, Connector],
    as_of: datetime,
    *,
    first_run: bool = False,
    approved: Approved | None = None,
) -> RunReport:
    """Everything up to the outbox: compute, check the plan, and commit state and outbox rows together."""
    computed = compute(project, engine, connectors, as_of, resume=bool(approved and approved.resumed))
    if approved is None:
        check_plan(computed.plan, project.crm.guard, first_run=first_run)
    elif approved.fingerprint != computed.plan.fingerprint():
        raise PlanMoved("the plan no longer holds: data, settings or the CRM changed since it was made; plan again")
    report = RunReport(uuid.uuid4().hex[:12], computed)

    def commit(connection: Connection) -> None:
        _refuse_going_back(connection, as_of)
        _commit(connection, project, report)

    transact(engine, commit)
    for problem in computed.refused:
        log.error("playbook refused", file=problem.file, line=problem.line, problem=problem.message)
    log.info(
        "committed",
        run_id=report.run_id,
        accounts=len(computed.accounts),
        records=len(computed.plan.records),
        tasks=len(computed.plan.tasks),
    )
    return report


def _calls_since(connector: Connector, before: Usage) -> Usage:
    after = connector.usage()
    return Usage(after.calls - before.calls, after.write_calls - before.write_calls)


def deliver_all(
    engine: Engine,
    connectors: Mapping[str, Connector],
    *,
    now: Callable[[], datetime],
    wait: Callable[[float], None],
    owner: str = "",
) -> list[Delivery]:
    """Deliver to every destination side by side; a slow or refusing one holds up nobody else."""

    def one(connector: Connector) -> Delivery:
        return deliver_patiently(engine, connector, now=now, wait=wait, patience_s=_PATIENCE_S, owner=owner)

    if not connectors:
        return []
    with ThreadPoolExecutor(max_workers=len(connectors)) as pool:
        return list(pool.map(one, connectors.values()))


# ---------------------------------------------------------------------------- compute


def compute(
    project: Project,
    engine: Engine,
    connectors: Mapping[str, Connector],
    as_of: datetime,
    accounts: Collection[str] | None = None,
    *,
    resume: bool = False,
) -> Computed:
    """Measure, read the CRMs, score, decide and plan, as of one moment. Writes nothing.

    ``resume``: a person lets playbooks go on in which far more accounts match than usual.
    """
    with engine.begin() as connection:
        _refuse_going_back(connection, as_of)
        previous_volume = state.last_volume(connection)
        memories = {a: ScoreMemory.from_json(m) for a, m in state.load_memories(connection).items()}
        memberships = {
            playbook_id: {a: Membership.from_json(m) for a, m in of_accounts.items()}
            for playbook_id, of_accounts in state.load_memberships(connection).items()
        }
        counts = {p.id: state.load_playbook_counts(connection, p.id, _iso(as_of)) for p in project.playbooks}
        views = [
            load_view(connection, name, project.crm, connectors[name], _iso(as_of)[:10])
            for name in project.crm.destinations
        ]

    measured = measure(project, as_of, previous_volume[0] if previous_volume else None, accounts)
    for view in views:
        read_crm(view, measured.now)
    facts = CrmFacts(views, pql_playbooks(project))
    fields = {account_id: {**row, **facts.fields(account_id)} for account_id, row in measured.now.items()}
    scored = score(project, fields, measured, memories, as_of)
    runs = decide_all(project, fields, memberships, views, counts, as_of, resume=resume)
    desired = _desired(project, fields, runs, memberships)
    plan = make_plan(views, desired, _iso(as_of), project.config_version, resumed=resume)
    volume = (measured.volume.accounts, measured.volume.events)
    return Computed(as_of, fields, scored, runs, memberships, views, plan, volume, project.refused)


# ---------------------------------------------------------------------------- decide and plan


def _desired(
    project: Project,
    fields: Mapping[str, Fields],
    runs: Mapping[str, PlaybookRun],
    memberships: Mapping[str, Mapping[str, Membership]],
) -> Desired:
    """What the decisions want of the CRMs.

    A playbook that is not live makes and closes no tasks. What a playbook has set stays set while its file is
    refused or it is off; when its file is gone, so is what it set.
    """
    present = {playbook.id for playbook in project.playbooks} if not project.refused else set(memberships)
    live = {playbook.id for playbook in project.playbooks if playbook.mode == "live"}
    current = {
        playbook_id: {
            **memberships.get(playbook_id, {}),
            **(runs[playbook_id].memberships if playbook_id in runs else {}),
        }
        for playbook_id in present | runs.keys()
    }
    set_fields: dict[str, dict[str, Value]] = {}
    for of_accounts in current.values():
        for account_id, membership in of_accounts.items():
            set_fields.setdefault(account_id, {}).update(membership.fields_set)
    actions = (action for run in runs.values() for decision in run.decisions for action in decision.actions)
    tasks = [action for action in actions if isinstance(action, MakeTask)]
    left = frozenset((p, a) for p in live for a, m in current.get(p, {}).items() if m.phase == "out")
    return Desired(fields, set_fields, tasks, left)


def read_back(project: Project, engine: Engine, connectors: Mapping[str, Connector], now: datetime) -> dict[str, str]:
    """Store what people changed in the CRMs since the last look; answers the problem of each CRM, if it has one."""
    with engine.begin() as connection:
        views = [
            load_view(connection, name, project.crm, connectors[name], _iso(now)[:10])
            for name in project.crm.destinations
        ]
    for view in views:
        read_crm(view, {})
    with engine.begin() as connection:
        for view in views:
            save_view(connection, view)
    return {view.name: view.problem for view in views if view.problem}


# ---------------------------------------------------------------------------- commit


def _refuse_going_back(connection: Connection, as_of: datetime) -> None:
    newest = state.last_as_of(connection)
    if newest is not None and _iso(as_of) < newest:
        raise BackInTime(
            f"the last run was as of {newest}; a run or plan cannot go back to {_iso(as_of)} "
            "(plgsync explain ACCOUNT --as-of can)"
        )


def _commit(connection: Connection, project: Project, report: RunReport) -> None:
    computed, run_id = report.computed, report.run_id
    as_of = _iso(computed.as_of)
    state.start_run(connection, run_id, as_of, project.config_version)
    state.save_volume(connection, as_of, *computed.volume)
    state.save_memories(connection, {a: s.memory.to_json() for a, s in computed.scored.items()})
    state.save_history(connection, [_history_row(a, row, as_of, project) for a, row in computed.accounts.items()])
    for view in computed.views:
        save_view(connection, view)
    for playbook_id, playbook_run in computed.playbooks.items():
        changed = {a: m.to_json() for a, m in playbook_run.memberships.items()}
        state.save_memberships(connection, playbook_id, changed)
        state.save_playbook_run(connection, playbook_id, as_of, playbook_run.counts)
        state.save_decisions(connection, run_id, _decision_rows(playbook_run))
        for account_id, membership in playbook_run.memberships.items():
            if membership.phase == "out":
                withdraw_tasks(connection, playbook_id, account_id)
    queue_plan(connection, computed.views, computed.plan, run_id)


def _decision_rows(playbook_run: PlaybookRun) -> list[dict[str, Any]]:
    return [
        {
            "playbook_id": decision.playbook_id,
            "account_id": decision.account_id,
            "event": decision.event,
            "because": str(decision.because),
        }
        for decision in playbook_run.decisions
    ]


def _history_row(account_id: str, row: Fields, as_of: str, project: Project) -> dict[str, Any]:
    names = ("health_score", "health_band", "health_status", "onboarding_score", "onboarding_status")
    scores = {name: row.get(name.replace("_", ".", 1)) for name in (*names, "pql_score", "pql_status")}
    return {"account_id": account_id, "day": as_of[:10], **scores, "config_version": project.config_version}


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
