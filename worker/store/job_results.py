"""The last result of each job: one row per schedule, per command and per CRM that was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select, update

from worker.store.engine import database_time
from worker.store.tables import job_results
from worker.store.upsert import upsert


def record_job_result(connection: Connection, name: str, job: str, kind: str = "", problem: str = "") -> None:
    """Store the result of a job and replace the one before.

    ``kind`` names the error that ended the job and is empty after a success; ``problem`` is its message. ``job`` is
    ``run``, ``deliver``, ``read_back``, or ``crm`` for the reading of one CRM.
    """
    at = database_time(connection)
    row = {"name": name, "job": job, "at": at, "kind": kind, "problem": problem, "recovered_by": ""}
    upsert(connection, job_results, [row if kind else {**row, "ok_at": at}])


def record_recovery(connection: Connection, run_id: str) -> None:
    """Store that a run followed the runs that failed. The clock may have jumped, so no dates are compared."""
    failed = (job_results.c.job == "run", job_results.c.kind != "")
    connection.execute(update(job_results).where(*failed).values(recovered_by=run_id))


def load_job_results(connection: Connection) -> Sequence[Mapping[str, Any]]:
    """The last result of every job, by name."""
    return [dict(row) for row in connection.execute(select(job_results).order_by(job_results.c.name)).mappings()]
