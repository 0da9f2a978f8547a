"""What a run stores for the next: score memory and history, playbook enrollments, source volumes, runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Double, delete, func, insert, literal, select, update

from worker.rules.enrollment import Enrollment
from worker.store.engine import db_now
from worker.store.job_results import record_recovery
from worker.store.tables import (
    decisions,
    enrollments,
    playbook_runs,
    playbook_texts,
    refused_reports,
    runs,
    score_memory,
    score_values,
    source_volumes,
    wide_score_history,
)
from worker.store.upsert import insert_into, upsert

Json = Mapping[str, Any]
UsualPart = Literal["join_shares", "named_shares", "rows"]
_USUAL_RUNS = 28


def last_as_of(connection: Connection) -> str | None:
    """The moment of the newest committed run, as ISO text in UTC."""
    return connection.execute(select(func.max(runs.c.as_of))).scalar()


def start_run(connection: Connection, run_id: str, as_of: str, config_version: str) -> None:
    """Store a run, in the transaction that commits its state; the runs that failed before it need nobody any more."""
    row = {"id": run_id, "as_of": as_of, "config_version": config_version}
    connection.execute(insert(runs).values(**row, committed_at=db_now()))
    record_recovery(connection, run_id)


def load_memories(connection: Connection) -> dict[str, Json]:
    """Account id → its score memory as JSON."""
    return dict(connection.execute(select(score_memory)).all())


def save_memories(connection: Connection, memories: Mapping[str, Json]) -> None:
    """Replace the score memory of these accounts."""
    upsert(connection, score_memory, [{"account_id": a, "memory": dict(m)} for a, m in memories.items()])


def save_history(
    connection: Connection, day: str, values: Mapping[str, Mapping[str, Any]], config_version: str
) -> None:
    """Write the scores of a day (``YYYY-MM-DD``) by account id and field; a later run of the same day replaces them."""
    _move_wide_history(connection)
    rows = [
        {
            "account_id": account_id,
            "day": day,
            "name": name,
            "number": value if isinstance(value, int | float) else None,
            "text": value if isinstance(value, str) else None,
            "config_version": config_version,
        }
        for account_id, fields in values.items()
        for name, value in fields.items()
    ]
    upsert(connection, score_values, rows)


def _move_wide_history(connection: Connection) -> None:
    """Move the rows of workers of the version before, which have a column for each of seven fields."""
    wide = wide_score_history.c
    for column in wide:
        score, _, field = column.name.partition("_")
        if column.name in {"account_id", "day", "config_version"}:
            continue
        kind = "number" if isinstance(column.type, Double) else "text"
        names = ("account_id", "day", "name", kind, "config_version")
        rows = select(wide.account_id, wide.day, literal(f"{score}.{field}"), column, wide.config_version)
        insert = insert_into(connection, score_values).from_select(names, rows.where(wide.day != ""))
        newest = {name: insert.excluded[name] for name in (kind, "config_version")}
        connection.execute(insert.on_conflict_do_update(index_elements=["account_id", "day", "name"], set_=newest))
    connection.execute(delete(wide_score_history))


def load_enrollments(connection: Connection) -> dict[str, dict[str, Enrollment]]:
    """Playbook id → account id → enrollment."""
    found: dict[str, dict[str, Enrollment]] = {}
    for playbook_id, account_id, state in connection.execute(select(enrollments)):
        found.setdefault(playbook_id, {})[account_id] = Enrollment.from_json(state)
    return found


def save_enrollments(connection: Connection, playbook_id: str, changed: Mapping[str, Enrollment]) -> None:
    """Replace the enrollments of these accounts in one playbook."""
    rows = [{"playbook_id": playbook_id, "account_id": a, "state": m.to_json()} for a, m in changed.items()]
    upsert(connection, enrollments, rows)


def load_playbook_texts(connection: Connection) -> dict[str, str]:
    """The playbook files as they ran last, by file."""
    return dict(connection.execute(select(playbook_texts)).all())


def save_playbook_texts(connection: Connection, texts: Mapping[str, str], *, keep_others: bool) -> None:
    """Remember the playbook files of this run; ``keep_others``: also those that could not run now."""
    upsert(connection, playbook_texts, [{"file": file, "text": text} for file, text in sorted(texts.items())])
    if not keep_others:
        connection.execute(delete(playbook_texts).where(playbook_texts.c.file.not_in(list(texts))))


def load_playbook_counts(connection: Connection, playbook_id: str, before: str) -> list[Json]:
    """What the last runs of a playbook counted, oldest first, runs at or after ``before`` left out."""
    rows = connection.execute(
        select(playbook_runs.c.counts)
        .where(playbook_runs.c.playbook_id == playbook_id, playbook_runs.c.as_of < before)
        .order_by(playbook_runs.c.as_of.desc())
        .limit(30)
    )
    return [counts for (counts,) in rows][::-1]


def save_playbook_run(connection: Connection, playbook_id: str, as_of: str, counts: Json) -> None:
    """Store what one run of a playbook counted."""
    upsert(connection, playbook_runs, [{"playbook_id": playbook_id, "as_of": as_of, "counts": dict(counts)}])


def save_decisions(connection: Connection, run_id: str, rows: Sequence[Json]) -> None:
    """Append the decisions of a run, for the reasons in the history."""
    if rows:
        connection.execute(insert(decisions), [{"run_id": run_id, **row} for row in rows])


def recent_sizes(connection: Connection, runs: int = 28) -> list[int]:
    """How many accounts the source had in each of the last runs, the newest first."""
    newest_first = select(source_volumes.c.accounts).order_by(source_volumes.c.as_of.desc()).limit(runs)
    return list(connection.execute(newest_first).scalars())


def last_report(connection: Connection) -> Json | None:
    """The newest data report that a run stored, also one that refused the data: `save_volume` forgets what is older."""
    taken, refused = (
        connection.execute(select(table.c.as_of, table.c.report).order_by(table.c.as_of.desc()).limit(1)).first()
        for table in (source_volumes, refused_reports)
    )
    newest = refused if refused and (taken is None or refused.as_of >= taken.as_of) else taken
    return newest.report if newest else None


def last_reports(connection: Connection, most: int) -> list[Json]:
    """The newest data reports of runs that took the data, newest first."""
    newest = select(source_volumes.c.report).order_by(source_volumes.c.as_of.desc()).limit(most)
    return [report for report in connection.execute(newest).scalars() if report]


def usual_of_tables(connection: Connection, of: UsualPart) -> dict[str, float]:
    """By table, the median of the last runs: the share of rows that joined, or named an account; or the rows."""
    reports = select(source_volumes.c.report).order_by(source_volumes.c.as_of.desc()).limit(_USUAL_RUNS)
    found: dict[str, list[float]] = {}
    for (report,) in connection.execute(reports):
        for table, value in (report or {}).get(of, {}).items():
            found.setdefault(table, []).append(value)
    return {table: median(some) for table, some in found.items()}


def forget_usual(connection: Connection) -> None:
    """Take what `usual_of_tables` reads out of the reports of all runs; what else they found stays."""
    for as_of, report in connection.execute(select(source_volumes.c.as_of, source_volumes.c.report)).all():
        rest = {name: value for name, value in (report or {}).items() if name not in get_args(UsualPart)}
        connection.execute(update(source_volumes).where(source_volumes.c.as_of == as_of).values(report=rest))


def save_volume(connection: Connection, as_of: str, accounts: int, events: int, report: Json) -> None:
    """Store how much product data this run read, and what a look at it found.

    Reports of runs that refused the data of this moment, or of a later one, are forgotten: this look is newer.
    """
    connection.execute(delete(refused_reports).where(refused_reports.c.as_of >= as_of))
    row = {"as_of": as_of, "accounts": accounts, "events": events, "report": dict(report)}
    upsert(connection, source_volumes, [row])


def save_refused_report(connection: Connection, as_of: str, reason: str, report: Json) -> None:
    """Store what a look at the product's data found when the run refused it; no other run compares with it."""
    upsert(connection, refused_reports, [{"as_of": as_of, "reason": reason, "report": dict(report)}])
