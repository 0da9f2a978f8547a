"""What the state database still holds of an earlier moment. Moments and days are ISO texts in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from worker.store.tables import account_sightings, crm_tasks, decisions, playbook_runs, runs, score_values


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run that was committed."""

    as_of: str
    config_version: str


@dataclass(frozen=True, slots=True)
class PublishedScores:
    """The scores that one run published of an account, by field; those of the last run of the ``day``."""

    day: str
    config_version: str
    values: dict[str, float | str | None]


def run_at(connection: Connection, moment: str) -> PastRun | None:
    """The newest run up to a moment that is still known."""
    newest = select(runs.c.as_of, runs.c.config_version).where(runs.c.as_of <= moment)
    row = connection.execute(newest.order_by(runs.c.as_of.desc(), runs.c.committed_at.desc()).limit(1)).first()
    return PastRun(*row) if row else None


def next_run_of_day(connection: Connection, after: str, day: str) -> str | None:
    """The last run of a day, if that is later than ``after``."""
    last = select(func.max(runs.c.as_of)).where(runs.c.as_of > after, func.substr(runs.c.as_of, 1, 10) == day)
    return connection.execute(last).scalar()


def first_run(connection: Connection) -> str | None:
    """The moment of the first run there was, also when the run itself is not kept any more."""
    oldest = (select(func.min(column)) for column in (runs.c.as_of, account_sightings.c.first_seen))
    seen = [connection.execute(query).scalar() for query in oldest]
    return min((moment for moment in seen if moment), default=None)


def decisions_known_since(connection: Connection, kept_from: float) -> str | None:
    """From which moment on every decision is kept; None: from the first run on.

    Those of runs that were committed after ``kept_from`` (seconds since 1970) are, and those after the oldest one.
    """
    by_age = select(func.min(runs.c.as_of)).where(runs.c.committed_at >= kept_from)
    oldest = select(runs.c.as_of).join(decisions, decisions.c.run_id == runs.c.id).order_by(decisions.c.id).limit(1)
    known = min((at for query in (by_age, oldest) if (at := connection.execute(query).scalar())), default=None)
    first = first_run(connection)
    return known if known and first and known > first else None


def published_scores(connection: Connection, account_id: str, day: str) -> PublishedScores | None:
    """The scores of the newest day up to ``day`` on which the account had some."""
    mine = score_values.c.account_id == account_id
    newest = select(func.max(score_values.c.day)).where(mine, score_values.c.day <= day).scalar_subquery()
    rows = connection.execute(select(score_values).where(mine, score_values.c.day == newest)).mappings().all()
    if not rows:
        return None
    values = {row["name"]: row["text"] if row["number"] is None else row["number"] for row in rows}
    return PublishedScores(rows[0]["day"], rows[0]["config_version"], values)


def first_scored_day(connection: Connection) -> str | None:
    """The oldest day of which scores are kept."""
    return connection.execute(select(func.min(score_values.c.day))).scalar()


def decisions_on(connection: Connection, account_id: str) -> list[tuple[str, str, str, str]]:
    """Every decision on an account: playbook, the moment of its run, event, reason; oldest first."""
    found = (
        select(decisions.c.playbook_id, runs.c.as_of, decisions.c.event, decisions.c.because)
        .join(runs, runs.c.id == decisions.c.run_id)
        .where(decisions.c.account_id == account_id)
        .order_by(decisions.c.id)
    )
    return [(row.playbook_id, row.as_of, row.event, row.because) for row in connection.execute(found)]


def live_runs(connection: Connection, playbook_id: str) -> dict[str, bool]:
    """By the moment of each run that is known, whether the playbook was live in it."""
    found = select(playbook_runs.c.as_of, playbook_runs.c.counts).where(playbook_runs.c.playbook_id == playbook_id)
    return {as_of: bool(counts.get("live")) for as_of, counts in connection.execute(found)}


def task_keys(connection: Connection, account_id: str, playbook_id: str, entry: int, day: str) -> list[str]:
    """The keys of the tasks of one entry that are in a CRM and were decided up to a day."""
    mine: list[Any] = [crm_tasks.c.account_id == account_id, crm_tasks.c.playbook_id == playbook_id]
    of_entry = [crm_tasks.c.entry == entry, crm_tasks.c.day != "", crm_tasks.c.day <= day]
    return sorted(connection.execute(select(crm_tasks.c.task_key).where(*mine, *of_entry).distinct()).scalars())
