"""Reads the facts of the alert conditions from the state database."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, func, select

from worker.alerts.conditions import Answers, Facts, LastResult, Quota
from worker.delivery.selection import depth
from worker.settings.project import Project
from worker.store.calls import DAY_S, calls_spent
from worker.store.engine import db_now
from worker.store.job_results import load_job_results
from worker.store.state import last_reports
from worker.store.tables import ledger, playbook_runs

BY_HAND = "plgsync run"
SETTINGS = "settings"
JOBS = ("run", "deliver", "read_back", "prune")


def load_facts(connection: Connection, project: Project | None) -> Facts:
    """The facts as of now, without names that the settings of ``project`` no longer hold; None: all of them."""
    facts = _load_all(connection)
    if project is None:
        return facts
    destinations, playbooks = set(project.crm.destinations), {one.id for one in project.playbooks}
    names = {*project.schedule.schedules, *destinations, *JOBS, BY_HAND, SETTINGS}
    return replace(
        facts,
        job_results=tuple(one for one in facts.job_results if one.name in names),
        waiting={key: count for key, count in facts.waiting.items() if key[0] in destinations},
        answers={name: answers for name, answers in facts.answers.items() if name in destinations},
        quotas={name: quota for name, quota in facts.quotas.items() if name in destinations},
        paused=facts.paused & playbooks,
    )


def _load_all(connection: Connection) -> Facts:
    job_results = load_job_results(connection)
    return Facts(
        job_results=tuple(
            LastResult(row["name"], row["job"], row["kind"], row["problem"], bool(row["recovered_by"]))
            for row in job_results
        ),
        waiting={(row["destination"], row["row_state"]): row["rows"] for row in depth(connection)},
        answers=_answers(connection),
        quotas={
            one.destination: Quota(one.left, one.limit)
            for one in calls_spent(connection)
            if one.left is not None and one.limit is not None
        },
        paused=frozenset(_paused(connection)),
        unreadable=_unreadable(connection),
    )


def _unreadable(connection: Connection) -> dict[str, tuple[float, float]]:
    """By table and column, the unreadable shares of the last two runs; nothing before the second run."""
    shares = [
        {
            f"{table['name']}.{column['name']}": column["unreadable"] / table["rows"]
            for table in report.get("tables", ())
            if table["rows"]
            for column in table["columns"]
        }
        for report in last_reports(connection, 2)
    ]
    if len(shares) < 2:
        return {}
    now, before = shares
    return {column: (before.get(column, 0.0), share) for column, share in now.items()}


def _answers(connection: Connection) -> dict[str, Answers]:
    counted: dict[str, dict[str, int]] = {}
    rows = connection.execute(
        select(ledger.c.destination, ledger.c.status, func.count())
        .where(ledger.c.at.between(db_now() - DAY_S, db_now()), ledger.c.status.in_(["applied", "rejected"]))
        .group_by(ledger.c.destination, ledger.c.status)
    )
    for destination, status, count in rows:
        counted.setdefault(destination, {})[status] = count
    return {name: Answers(**counts) for name, counts in counted.items()}


def _paused(connection: Connection) -> set[str]:
    """The playbooks that paused themselves in their newest run."""
    newest = select(playbook_runs.c.playbook_id, func.max(playbook_runs.c.as_of).label("as_of"))
    last = newest.group_by(playbook_runs.c.playbook_id).subquery()
    rows = connection.execute(
        select(playbook_runs.c.playbook_id, playbook_runs.c.counts).join(
            last, (last.c.playbook_id == playbook_runs.c.playbook_id) & (last.c.as_of == playbook_runs.c.as_of)
        )
    )
    return {playbook_id for playbook_id, counts in rows if counts.get("paused")}
