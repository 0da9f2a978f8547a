"""``plgsync adopt``: rebuilds a state that is lost, or older than the CRMs, from what in the CRMs is ours.

One transaction stores it: the records and values of every CRM, our tasks with their entries, enrollments, and the
ledger. What no CRM holds is not rebuilt: score memory and history, and the reasons of earlier writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, func, select

from connectors.base import Connector, Scalar
from worker.adoption.crms import CrmContents, afresh, read_contents
from worker.adoption.delivered import delivered_to
from worker.adoption.entries import EntriesBuilder, Rebuilt
from worker.adoption.past_fields import PastFields
from worker.adoption.save import save_contents
from worker.delivery.leases import reclaim_leases
from worker.delivery.row_state import StoredState
from worker.language.values import Fields
from worker.pipeline.compute import load_views, read_crms, refuse_going_back
from worker.pipeline.measure import measure, pql_playbooks
from worker.pipeline.run import INLINE_OWNER, new_run_id
from worker.planning.companies import place_accounts
from worker.planning.crm_facts import CrmFacts
from worker.rules.enrollment import Enrollments
from worker.settings.problems import CommandError
from worker.settings.project import Project
from worker.store import state
from worker.store.engine import database_moment, db_now, transact
from worker.store.lock import exclusive_run
from worker.store.marks import adoption_done, note_project
from worker.store.moments import refuse_future
from worker.store.sightings import load_sightings
from worker.store.tables import outbox


@dataclass(slots=True, kw_only=True)
class Adoption:
    """What was found and rebuilt."""

    crms: Sequence[CrmContents]
    rebuilt: Rebuilt = field(default_factory=Rebuilt)


def adopt(project: Project, engine: Engine, connectors: Mapping[str, Connector], as_of: datetime) -> Adoption:
    """Rebuild the state as of a moment, with the data of now.

    Raises `CommandError`, `StaleData`, `Busy`, `AsOfTooOld`, `InFuture`, or `CallFailed` where a CRM does not answer.
    Nothing changes in a CRM, and nothing in the state unless every CRM can be read.
    """
    if project.left_out:
        files = ", ".join(sorted({problem.file for problem in project.invalid}))
        raise CommandError(f"the tasks of playbooks that are invalid would be nobody's: correct {files}, then adopt")
    with exclusive_run(engine):
        if engine.dialect.name == "sqlite":
            reclaim_leases(engine, INLINE_OWNER)
        with engine.begin() as connection:
            refuse_future("adoption as of", as_of, {"the state database": database_moment(connection)})
            refuse_going_back(connection, as_of)
            _refuse_beside_a_delivery(connection)
            views = [afresh(view) for view in load_views(connection, project, connectors, as_of)]
            stored, seen = state.load_enrollments(connection), set(load_sightings(connection))
        measured = measure(project, as_of, None, None)
        place_accounts(views, measured.parents, frozenset())
        read_crms(views, measured.now)
        if unread := {view.name: view.readings.problem for view in views if view.readings.problem}:
            raise CommandError("; ".join(f"{name} cannot be read: {why}" for name, why in unread.items()))
        known = seen | measured.listed | {account_id for one in stored.values() for account_id in one}
        crms = [read_contents(view, project, project.playbooks, known) for view in views]
        adoption = Adoption(crms=crms, rebuilt=_rebuilt(project, crms, measured.now, stored, as_of))
        transact(engine, lambda connection: _save(connection, project, adoption, stored))
    return adoption


def _refuse_beside_a_delivery(connection: Connection) -> None:
    sending = select(func.count()).where(outbox.c.state == StoredState.LEASED, outbox.c.due_at > db_now())
    if connection.execute(sending).scalar():
        raise CommandError("a worker is delivering from this state database; stop the workers, then adopt")


def _rebuilt(
    project: Project, crms: Sequence[CrmContents], accounts: Mapping[str, Fields], stored: Enrollments, as_of: datetime
) -> Rebuilt:
    tasks = [one for contents in crms for one in contents.tasks.adopted]
    filled: dict[str, dict[str, Scalar]] = {}
    for one in crms:
        for account_id, values in one.set_by_playbooks(accounts).items():
            filled[account_id] = values | filled.get(account_id, {})
    if not tasks and not filled and not stored:
        return Rebuilt()
    facts = CrmFacts([one.view for one in crms], pql_playbooks(project), stored)
    builder = EntriesBuilder(
        project=project,
        past=PastFields(project, facts),
        accounts={a: {**row, **facts.fields(a)} for a, row in accounts.items()},
        stored=stored,
        delivered=delivered_to(crms, accounts, as_of),
        filled=filled,
        newest=min(max((one.day for one in tasks), default=as_of.date()), as_of.date()),
        as_of=as_of.astimezone(UTC),
    )
    return builder.rebuild(tasks)


def _save(connection: Connection, project: Project, adoption: Adoption, stored: Enrollments) -> None:
    run_id = new_run_id()
    _refuse_beside_a_delivery(connection)
    for playbook_id, changed in adoption.rebuilt.enrollments.items():
        state.save_enrollments(connection, playbook_id, changed)
    now = {
        p: {**stored.get(p, {}), **adoption.rebuilt.enrollments.get(p, {})}
        for p in {*stored, *adoption.rebuilt.enrollments}
    }
    for contents in adoption.crms:
        save_contents(connection, contents, project.playbooks, now, run_id)
    note_project(connection, project.crm.project_ids)
    adoption_done(connection)
