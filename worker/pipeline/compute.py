"""The computation of a run: measure, read the CRMs, score, decide and plan. It writes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection, Engine
from structlog.contextvars import bound_contextvars

from connectors.base import Connector
from worker.language.values import Fields, Value
from worker.pipeline.decide import PastRuns, decide_all, programs_of
from worker.pipeline.measure import Measured, measure, pql_playbooks, reporting, score, unchanged_fields
from worker.pipeline.presence import Presence, presence_of
from worker.planning.companies import place_accounts
from worker.planning.crm_facts import CrmFacts
from worker.planning.crm_view import CrmView, load_view
from worker.planning.desired import Desired
from worker.planning.make_plan import make_plan
from worker.planning.meanwhile import note_meanwhile
from worker.planning.plan import Plan, StepChange
from worker.planning.read_crm import read_crm
from worker.rules.actions import MakeTask
from worker.rules.context import PlaybookRun
from worker.rules.enrollment import Enrollment, Enrollments
from worker.scores import Scored, ScoreMemory
from worker.settings.problems import Problem
from worker.settings.project import Project
from worker.signals.trust import Usual
from worker.store import state
from worker.store.moments import WAY_BACK, iso
from worker.store.sightings import Sighting, load_sightings
from worker.telemetry.steps import report_step
from worker.telemetry.tracing import span


class AsOfTooOld(Exception):
    """The state is newer than the requested moment; a run or a plan can only go forward."""


@dataclass(slots=True, kw_only=True)
class Computed:
    """Everything one run knows before it writes: fields and scores per account, decisions, and the plan.

    ``accounts`` are the live fields, on which playbooks decide; ``written`` those that the plan writes: small moves of
    a score are held back there (``publish_step``).

    ``invalid`` are the problems of invalid playbook files. Of the files in ``last_good_files`` the last good version
    runs; the others are left out.
    """

    as_of: datetime
    accounts: dict[str, dict[str, Value]]
    written: dict[str, Fields]
    scored: dict[str, Scored]
    playbooks: dict[str, PlaybookRun]
    enrollments: dict[str, dict[str, Enrollment]]
    views: list[CrmView]
    plan: Plan
    source: Measured
    """What was read of the product's data; its report is stored with the run."""
    presence: Presence = field(default_factory=Presence)
    invalid: tuple[Problem, ...] = ()
    last_good_files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What the earlier runs left: sizes of the source, memories, enrollments, and what playbooks left."""

    usual: Usual
    sizes: list[int]
    sightings: Mapping[str, Sighting]
    memories: Mapping[str, ScoreMemory]
    enrollments: dict[str, dict[str, Enrollment]]
    past: PastRuns
    views: list[CrmView]


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

    ``resume``: a person lets playbooks continue in which far more accounts match than usual.
    """
    with span("read state"), engine.begin() as connection:
        before = _read_state(connection, project, connectors, as_of)
    measured = _measure(project, before, as_of, accounts)
    presence = _presence(project, before, measured, as_of)
    rows = presence.without_frozen(measured.now)
    enrollments = {playbook: presence.without_frozen(one) for playbook, one in before.enrollments.items()}
    place_accounts(before.views, measured.parents, presence.frozen)
    _read_crms_beside_deliveries(engine, before.views, rows)
    with span("score"):
        facts = CrmFacts(before.views, pql_playbooks(project), before.enrollments)
        fields = {account_id: {**row, **facts.fields(account_id)} for account_id, row in rows.items()}
        scored = score(project, fields, measured, before.memories, as_of)
    with span("decide") as deciding:
        runs = decide_all(project, fields, enrollments, before.views, before.past, as_of, facts, resume=resume)
        deciding.set_attributes(decisions=sum(len(one.decisions) for one in runs.values()), playbooks=list(runs))
    written = {account_id: scored[account_id].written_fields(row) for account_id, row in fields.items()}
    desired = _desired(project, written, runs, enrollments, unchanged_fields(project, measured.report))
    return Computed(
        as_of=as_of,
        accounts=fields,
        written=written,
        scored=scored,
        playbooks=runs,
        enrollments=before.enrollments,
        views=before.views,
        plan=_plan(project, before, desired, runs, presence, as_of, resume=resume),
        source=measured,
        presence=presence,
        invalid=project.invalid,
        last_good_files=project.last_good_files,
    )


def _plan(
    project: Project,
    before: _State,
    desired: Desired,
    runs: Mapping[str, PlaybookRun],
    presence: Presence,
    as_of: datetime,
    *,
    resume: bool,
) -> Plan:
    """What the run would write, with everything that a person should know of it."""
    report_step("planning the writes to the CRMs")
    with span("plan") as planning:
        plan = make_plan(before.views, desired, iso(as_of), project.config_version, resumed=resume)
        plan.ran_before = bool(before.sizes)
        plan.missing, plan.reused = dict(presence.missing), dict(presence.reused)
        plan.undecided = sorted(presence.undecided)
        plan.floods += [run.flood for run in runs.values() if run.flood]
        plan.steps += _step_changes(runs)
        planning.set_attributes(records=len(plan.records), tasks=len(plan.tasks))
    return plan


def _step_changes(runs: Mapping[str, PlaybookRun]) -> Iterable[StepChange]:
    for playbook_id, run in runs.items():
        for one in run.placements:
            due = iso(one.due) if one.due else None
            yield StepChange(playbook_id=playbook_id, account_id=one.account_id, key=one.key, at=one.at, due=due)


def _read_state(
    connection: Connection, project: Project, connectors: Mapping[str, Connector], as_of: datetime
) -> _State:
    report_step("reading the state database")
    refuse_going_back(connection, as_of)
    return _State(
        usual=load_usual(connection),
        sizes=state.recent_sizes(connection),
        sightings=load_sightings(connection),
        memories={a: ScoreMemory.from_json(m) for a, m in state.load_memories(connection).items()},
        enrollments=state.load_enrollments(connection),
        past=PastRuns(
            {p.id: state.load_playbook_counts(connection, p.id, iso(as_of)) for p in project.playbooks},
            programs_of(project, state.load_playbook_texts(connection)),
        ),
        views=load_views(connection, project, connectors, as_of),
    )


def load_usual(connection: Connection) -> Usual:
    """What the last runs found in each table."""
    return Usual(
        joined=state.usual_of_tables(connection, "join_shares"),
        named=state.usual_of_tables(connection, "named_shares"),
        rows=state.usual_of_tables(connection, "rows"),
    )


def _measure(project: Project, before: _State, as_of: datetime, accounts: Collection[str] | None) -> Measured:
    with span("read product data", calls_out=True) as reading:
        measured = measure(project, as_of, next(iter(before.sizes), None), accounts, before.usual)
        reading.set_attributes(accounts=len(measured.now), events=measured.report.volume.events)
    return measured


def _presence(project: Project, before: _State, measured: Measured, as_of: datetime) -> Presence:
    """Which accounts are missing or somebody else's. Raises `DistrustedData` when those are too many."""
    present, sizes = measured.listed | measured.now.keys(), [*before.sizes, measured.report.volume.accounts]
    with reporting(measured.report):
        found = presence_of(before.sightings, present, measured.now, sizes, as_of, project.product.trust)
    return replace(found, undecided=measured.undecided)


def load_views(
    connection: Connection, project: Project, connectors: Mapping[str, Connector], as_of: datetime
) -> list[CrmView]:
    """What the state database holds of each CRM of the project."""
    return [load_view(connection, name, project.crm, connectors[name], as_of) for name in project.crm.destinations]


def _read_crms_beside_deliveries(engine: Engine, views: Sequence[CrmView], accounts: Mapping[str, Fields]) -> None:
    read_crms(views, accounts)
    with engine.begin() as connection:
        for view in views:
            note_meanwhile(connection, view)


def read_crms(views: Sequence[CrmView], accounts: Mapping[str, Fields]) -> None:
    """Read from each CRM what changed since the last reading, and find the records of these accounts."""
    for number, view in enumerate(views, 1):
        report_step(f"reading from {view.name}", number, len(views))
        with bound_contextvars(destination=view.name):
            read_crm(view, accounts)


def _desired(
    project: Project,
    fields: Mapping[str, Fields],
    runs: Mapping[str, PlaybookRun],
    enrollments: Enrollments,
    unchanged: frozenset[str],
) -> Desired:
    """What the decisions want of the CRMs.

    A playbook that is not live makes and closes no tasks. What a playbook has set stays set while its file is
    invalid or it is off; when its file is gone, so is what it set.
    """
    present = {playbook.id for playbook in project.playbooks} if not project.left_out else set(enrollments)
    live = {playbook.id for playbook in project.playbooks if playbook.mode == "live"}
    current = {
        playbook_id: {
            **enrollments.get(playbook_id, {}),
            **(runs[playbook_id].enrollments if playbook_id in runs else {}),
        }
        for playbook_id in present | runs.keys()
    }
    set_fields: dict[str, dict[str, Value]] = {}
    for of_accounts in current.values():
        for account_id, enrollment in of_accounts.items():
            set_fields.setdefault(account_id, {}).update(enrollment.fields_set)
    actions = (action for run in runs.values() for decision in run.decisions for action in decision.actions)
    tasks = [action for action in actions if isinstance(action, MakeTask)]
    left = frozenset((p, a) for p in live for a, m in current.get(p, {}).items() if m.phase == "out")
    return Desired(fields, set_fields, tasks, left, unchanged)


def refuse_going_back(connection: Connection, as_of: datetime) -> None:
    newest = state.last_as_of(connection)
    if newest is not None and iso(as_of) < newest:
        raise AsOfTooOld(
            f"the last run was as of {newest}; a run or plan cannot go back to {iso(as_of)} "
            f"(plgsync explain ACCOUNT --as-of can). If a clock that was ahead made that run: {WAY_BACK}"
        )
