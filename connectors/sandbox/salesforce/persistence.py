"""The changes of an org as rows for `core.persistence`, and an org restored from such rows.

Each record and each bulk job is one row. Unlike a seed, the rows also hold sessions and the calls used: a client
stays logged in over a restart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any

from connectors.sandbox.core.control import JsonObject
from connectors.sandbox.core.persistence import Changes, Row
from connectors.sandbox.salesforce.bulk import Job
from connectors.sandbox.salesforce.bulk_load import Load
from connectors.sandbox.salesforce.org import Org, Session
from connectors.sandbox.salesforce.serialization import dump_org

_RECORDS = "records/"


class OrgChangeTracker:
    """Satisfies `core.persistence.ChangeTracker` for one org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._jobs: dict[str, tuple[Any, ...]] = {}
        self._schema: JsonObject = {}
        self._version = -1
        self._rest: JsonObject = {}
        self._replace_all = True

    def changes(self) -> Changes:
        """Changed and removed records, jobs that progressed, and the rest of the org when it changed."""
        org = self._org
        replace_all, self._replace_all = self._replace_all or org.rolled_back, False
        org.rolled_back = False
        if replace_all:
            self._jobs, self._rest = {}, {}
        rows = [row for name in org.tables for row in self._records(name, replace_all)]
        rows += self._moved_jobs()
        rest = self._everything_else()
        if rest != self._rest:
            self._rest = rest
            # The time is stored with other changes only; alone it is no change.
            rows.append(Row("rest", "", {**rest, "now": org.sim.clock.now().isoformat()}))
        return Changes(rows, replace_all)

    def _records(self, name: str, replace_all: bool) -> Iterable[Row]:
        table = self._org.tables[name]
        touched = list(table.records) if replace_all else table.touched
        rows = [Row(_RECORDS + name, record_id, table.records.get(record_id)) for record_id in touched]
        table.touched = {}
        return rows

    def _moved_jobs(self) -> Iterable[Row]:
        jobs: dict[str, Job] = self._org.jobs
        for gone in self._jobs.keys() - jobs.keys():
            del self._jobs[gone]
            yield Row("jobs", gone, None)
        for job in jobs.values():
            progress = (job.state, job.modified, job.upload is None, job.loaded is None)
            if self._jobs.get(job.id) != progress:
                self._jobs[job.id] = progress
                yield Row("jobs", job.id, _dump_job(job))

    def _everything_else(self) -> JsonObject:
        org = self._org
        if self._version != org.catalogue.version:
            self._version = org.catalogue.version
            stored = dump_org(org)
            self._schema = {name: stored[name] for name in ("objects", "picklists", "denied")}
        return {
            **self._schema,
            "options": org.options.to_json(),
            "numbers": org.numbers(),
            "used": org.usage(),
            "sessions": {token: session.user_id for token, session in org.sessions.items()},
        }


def seed_of(rows: Iterable[Row]) -> JsonObject | None:
    """The seed of the org that these rows describe; None when there are no rows."""
    records: dict[str, list[Any]] = {}
    rest: JsonObject | None = None
    for row in rows:
        if row.part.startswith(_RECORDS):
            records.setdefault(row.part.removeprefix(_RECORDS), []).append(row.value)
        elif row.part == "rest":
            rest = row.value
    if rest is None:
        return None
    stored = {name: rest[name] for name in ("now", "objects", "picklists", "denied", "numbers")}
    return {"options": rest["options"], "stored": {**stored, "records": records}}


def resume(org: Org, rows: Iterable[Row]) -> None:
    """Restore the sessions, the quota and the jobs of these rows."""
    now = org.sim.clock.timestamp()
    for row in rows:
        if row.part == "rest":
            org.sessions = {token: Session(user_id, now) for token, user_id in row.value["sessions"].items()}
            org.resume_usage(row.value["used"])
        elif row.part == "jobs":
            org.jobs[row.key] = _job(org, row.value)


def _dump_job(job: Job) -> JsonObject:
    dumped = {one.name: getattr(job, one.name) for one in fields(job) if one.name != "record_faults"}
    upload = None if job.upload is None else job.upload.decode("latin-1")
    return {**dumped, "kind": job.kind.name, "upload": upload, "loaded": asdict(job.loaded) if job.loaded else None}


def _job(org: Org, given: JsonObject) -> Job:
    upload, loaded = given["upload"], given["loaded"]
    return Job(
        **{
            **given,
            "kind": org.catalogue.types[given["kind"]],
            "upload": None if upload is None else upload.encode("latin-1"),
            "loaded": None if loaded is None else Load(**loaded),
        }
    )
