"""Commits a run: its state and its outbox rows, in one transaction of the caller."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection

from worker.delivery.outbox import withdraw_tasks
from worker.language.values import Fields, Value
from worker.pipeline.compute import Computed
from worker.pipeline.provenance import Provenance
from worker.planning.crm_view import save_view
from worker.planning.enqueue import enqueue_plan
from worker.rules.context import PlaybookRun
from worker.settings.project import Project
from worker.settings.score_specs import score_fields
from worker.store import state
from worker.store.marks import note_project, run_done
from worker.store.moments import iso
from worker.store.sightings import save_sightings


def commit_run(connection: Connection, project: Project, computed: Computed, run_id: str) -> None:
    """Store what a run computed, and queue the writes of its plan."""
    as_of = iso(computed.as_of)
    state.start_run(connection, run_id, as_of, project.config_version)
    run_done(connection)
    note_project(connection, project.crm.project_ids)
    state.save_playbook_texts(connection, project.playbook_texts, keep_others=project.left_out)
    report = computed.source.report
    state.save_volume(connection, as_of, report.volume.accounts, report.volume.events, report.to_json())
    save_sightings(connection, computed.presence.changed)
    state.save_memories(connection, {a: s.memory.to_json() for a, s in computed.scored.items()})
    state.save_history(connection, as_of[:10], _history(computed.written), project.config_version)
    for view in computed.views:
        save_view(connection, view)
    for playbook_id, playbook_run in computed.playbooks.items():
        state.save_enrollments(connection, playbook_id, playbook_run.enrollments)
        state.save_playbook_run(connection, playbook_id, as_of, playbook_run.counts)
        state.save_decisions(connection, run_id, _decision_rows(playbook_run))
    withdraw_tasks(connection, _why_withdrawn(project, computed))
    enqueue_plan(connection, computed.views, computed.plan, run_id, Provenance(project, computed))


def _why_withdrawn(project: Project, computed: Computed) -> Callable[[str, str], str]:
    """Why a task that was never sent is not wanted any more; a playbook whose file is invalid keeps its tasks.

    ``once_decided: deliver`` keeps the task of an account that left the playbook, as long as the account exists.
    """
    playbooks = {playbook.id: playbook for playbook in project.playbooks}

    def why(playbook_id: str, account_id: str) -> str:
        playbook = playbooks.get(playbook_id)
        if playbook is None:
            return "" if project.left_out else "the playbook is gone"
        if playbook.mode != "live":
            return f"the playbook is not live any more (mode: {playbook.mode})"
        earlier = computed.enrollments.get(playbook_id, {}).get(account_id)
        enrollment = computed.playbooks[playbook_id].enrollments.get(account_id, earlier)
        if enrollment is None or enrollment.phase != "out":
            return ""
        stands = playbook.once_decided == "deliver" and account_id in computed.accounts
        return "" if stands else "the account left the playbook before delivery"

    return why


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


def _history(accounts: Mapping[str, Fields]) -> dict[str, dict[str, Value]]:
    """By account, the written values of the fields whose history is stored, one row per day."""
    names = [field.name for field in score_fields().values() if field.history]
    return {account_id: {name: row.get(name) for name in names} for account_id, row in accounts.items()}
