"""One run, readable from top to bottom: read, measure, score, decide, plan, commit, deliver.

Everything a run decides commits in one transaction with its outbox rows. Delivery follows, and can die at any point.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from structlog.contextvars import bound_contextvars

from connectors.base import Connector, Usage
from connectors.registry import connect
from worker.delivery.budgets.budget import open_budget
from worker.delivery.leases import reclaim_leases
from worker.delivery.left_over import LeftOver, left_over
from worker.delivery.one_sided import OneSided, one_sided
from worker.delivery.send import Delivery, fewest_write_calls
from worker.delivery.side_by_side import deliver_all
from worker.delivery.stop import CancelToken
from worker.pipeline.commit import commit_run
from worker.pipeline.compute import Computed, compute, load_views, read_crms, refuse_going_back
from worker.planning.crm_view import save_view
from worker.planning.guard import check_plan
from worker.planning.lost_state import refuse_lost_state, refuse_unadopted
from worker.settings.environment import shared_redis_url
from worker.settings.project import Project
from worker.signals.errors import StaleData
from worker.store.engine import database_moment, database_time, transact
from worker.store.journal import StoreJournal
from worker.store.lock import StillLocked, exclusive_run
from worker.store.moments import iso, refuse_future
from worker.store.state import save_refused_report
from worker.telemetry.steps import report_step
from worker.telemetry.tracing import span

log = structlog.get_logger()

INLINE_OWNER = "inline:"


class StalePlan(Exception):
    """The approved plan no longer holds: data, settings or the CRM changed since it was made."""


@dataclass(frozen=True, slots=True)
class Approved:
    """A plan that a person has seen and wants: its fingerprint, and whether it lets paused playbooks go on."""

    fingerprint: str
    resumed: bool = False


@dataclass(slots=True, kw_only=True)
class RunReport:
    """What one run did; by destination, its API calls and the fewest that could have written the same.

    ``left_over`` are the rows that still wait although they were due, or that somebody holds; ``one_sided`` the tasks
    that this run withdrew from one CRM while another has them.
    """

    run_id: str
    computed: Computed
    deliveries: list[Delivery] = field(default_factory=list)
    calls: dict[str, Usage] = field(default_factory=dict)
    fewest_write_calls: dict[str, int] = field(default_factory=dict)
    left_over: list[LeftOver] = field(default_factory=list)
    one_sided: list[OneSided] = field(default_factory=list)


def connect_all(project: Project, engine: Engine | None = None) -> dict[str, Connector]:
    """One connector for each destination of the project.

    With an ``engine`` it can go on where a crash stopped it, and shares the CRM's limits with every other worker.
    """
    connectors = {}
    for name, settings in project.crm.destinations.items():
        journal = StoreJournal(engine, name) if engine else None
        budget = open_budget(engine, name, settings.quota, shared_redis_url()) if engine else None
        connectors[name] = connect(project.crm.to_destination(name, project.root), journal, budget)
    return connectors


def run(
    project: Project,
    engine: Engine,
    connectors: Mapping[str, Connector],
    as_of: datetime,
    *,
    now: Callable[[], datetime],
    first_run: bool = False,
    approved: Approved | None = None,
    yes_future: bool = False,
) -> RunReport:
    """Compute and deliver inline, one run at a time on this state database.

    With a plan that a person has approved, the run goes on only if the plan still holds, and the guard is waived.
    Raises `UnsafePlan`, `StalePlan`, `AsOfTooOld`, `StaleData`, `SourceError` or `Busy`, and `InFuture` for a moment in
    the future unless ``yes_future`` says that a person wants it; then nothing is queued.
    """
    run_id = new_run_id()
    with exclusive_run(engine) as still_locked, bound_contextvars(run_id=run_id), span("run"):
        if engine.dialect.name == "sqlite":
            reclaim_leases(engine, INLINE_OWNER)
        before = {name: connector.usage() for name, connector in connectors.items()}
        began = _time(engine)
        report = compute_and_commit(
            project,
            engine,
            connectors,
            as_of,
            first_run=first_run,
            approved=approved,
            run_id=run_id,
            still_locked=still_locked,
            yes_future=yes_future,
        )
        since = _time(engine)
        report.deliveries = deliver_all(engine, connectors, now=now, stop=CancelToken(), owner=INLINE_OWNER)
        with engine.begin() as connection:
            report.left_over = left_over(connection, since, report.deliveries)
            report.one_sided = one_sided(connection, began)
    report.fewest_write_calls = {
        one.destination: fewest_write_calls(connectors[one.destination], one.applied) for one in report.deliveries
    }
    report.calls = {name: _calls_since(connector, before[name]) for name, connector in connectors.items()}
    return report


def _time(engine: Engine) -> float:
    with engine.begin() as connection:
        return database_time(connection)


def new_run_id() -> str:
    """A name for one run that no other has."""
    return uuid.uuid4().hex[:12]


def compute_and_commit(
    project: Project,
    engine: Engine,
    connectors: Mapping[str, Connector],
    as_of: datetime,
    *,
    run_id: str,
    first_run: bool = False,
    approved: Approved | None = None,
    still_locked: StillLocked = lambda: None,
    yes_future: bool = False,
) -> RunReport:
    """Everything up to the outbox: compute, check the plan, and commit state and outbox rows together.

    ``still_locked`` raises when this is no longer the only run.
    """
    with bound_contextvars(run_id=run_id), span("compute"):
        computed = _compute(project, engine, connectors, as_of, approved, yes_future=yes_future)
        if approved is None:
            check_plan(computed.plan, project.crm.guard, first_run=first_run)
        elif approved.fingerprint != computed.plan.fingerprint():
            raise StalePlan("the plan no longer holds: data, settings or the CRM changed since it was made; plan again")
        _commit(project, engine, computed, run_id, still_locked)
        _log(computed)
    return RunReport(run_id=run_id, computed=computed)


def _compute(
    project: Project,
    engine: Engine,
    connectors: Mapping[str, Connector],
    as_of: datetime,
    approved: Approved | None,
    *,
    yes_future: bool,
) -> Computed:
    if not yes_future:
        with engine.begin() as connection:
            refuse_future("the run as of", as_of, {"the state database": database_moment(connection)})
    with _refused_reports(engine, as_of):
        with engine.begin() as connection:
            refuse_unadopted(connection)
        computed = compute(project, engine, connectors, as_of, resume=bool(approved and approved.resumed))
    with engine.begin() as connection:
        refuse_lost_state(connection, computed.views)
    if not yes_future:  # the CRMs have answered by now
        answered = {name: connector.server_time() for name, connector in connectors.items()}
        refuse_future("the run as of", as_of, {name: at for name, at in answered.items() if at is not None})
    return computed


def _commit(project: Project, engine: Engine, computed: Computed, run_id: str, still_locked: StillLocked) -> None:
    def commit(connection: Connection) -> None:
        still_locked()
        refuse_going_back(connection, computed.as_of)
        commit_run(connection, project, computed, run_id)

    report_step("storing the results and the writes to send")
    with span("commit", records=len(computed.plan.records), tasks=len(computed.plan.tasks)):
        transact(engine, commit)


@contextmanager
def _refused_reports(engine: Engine, as_of: datetime) -> Iterator[None]:
    """Stores what was found in data that the run refuses; where it cannot, the refusal is still what the run raises."""
    try:
        yield
    except StaleData as error:
        if error.report:
            found = iso(as_of), str(error), error.report.to_json()
            try:
                transact(engine, lambda connection: save_refused_report(connection, *found))
            except SQLAlchemyError as problem:  # its text may have cells of the data
                log.warning("data report not stored", problem=type(problem).__name__)
        raise


def _log(computed: Computed) -> None:
    for problem in computed.invalid:
        log.error(
            "playbook invalid",
            file=problem.file,
            line=problem.line,
            problem=problem.message,
            last_good_runs=problem.file in computed.last_good_files,
        )
    for playbook_id, of_playbook in computed.playbooks.items():
        if of_playbook.decisions:
            log.info("decided", playbook=playbook_id, decisions=len(of_playbook.decisions))
        if of_playbook.paused:
            log.warning("playbook paused", playbook=playbook_id)
    log.info(
        "committed",
        accounts=len(computed.accounts),
        records=len(computed.plan.records),
        tasks=len(computed.plan.tasks),
    )


def _calls_since(connector: Connector, before: Usage) -> Usage:
    after = connector.usage()
    return Usage(after.calls - before.calls, after.write_calls - before.write_calls)


def read_back(project: Project, engine: Engine, connectors: Mapping[str, Connector], now: datetime) -> dict[str, str]:
    """Store what people changed in the CRMs since the last read-back; answers the problem of each CRM that has one."""
    with engine.begin() as connection:
        views = load_views(connection, project, connectors, now)
    read_crms(views, {})
    with engine.begin() as connection:
        for view in views:
            save_view(connection, view)
    return {view.name: view.readings.problem for view in views if view.readings.problem}
