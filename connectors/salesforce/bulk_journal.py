"""What processes share about bulk jobs: our job, its stage, and until when no new one is started."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from connectors.base import Journal
from connectors.clock import unix_time

NAME = "salesforce_bulk_job"
Stage = Literal["created", "uploaded", "finished"]
"""``uploaded``: all data has arrived, only UploadComplete is missing."""
NO_BULK = "salesforce_no_bulk_since"
NO_BULK_SECONDS = 3600.0
"""How long no job is started after one was rejected or failed."""
KEPT_SECONDS = 600.0
"""How long results wait for operations that are never sent again. The others are sent again within seconds."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job of ours; ``reported`` of its results are reported since it was found finished, at ``since``."""

    id: str
    stage: Stage = "created"
    since: float = 0.0
    reported: int = 0


@dataclass(frozen=True, slots=True)
class BulkJournal:
    """The bulk job of one org, in its journal."""

    journal: Journal
    clock: Callable[[], float] = unix_time

    def job(self) -> Job | None:
        """The job that is running or not yet reported in full."""
        match (self.journal.read(NAME) or "").split():
            case [job, "finished", since, reported]:
                return Job(job, "finished", float(since), int(reported))
            case [job, "uploaded"]:
                return Job(job, "uploaded")
            case [job, *_]:
                return Job(job)
            case _:
                return None

    def created(self, job: str) -> None:
        """The job exists; it has no data yet."""
        self.journal.write(NAME, job)

    def uploaded(self, job: str) -> None:
        """All its data has arrived."""
        self.journal.write(NAME, f"{job} uploaded")

    def report(self, job: Job, results: int) -> Job:
        """Count ``results`` more results of a finished job as reported."""
        since = job.since if job.stage == "finished" else self.clock()
        now = replace(job, stage="finished", since=since, reported=job.reported + results)
        if now != job:
            self.journal.write(NAME, f"{now.id} {now.stage} {now.since:.0f} {now.reported}")
        return now

    def expired(self, job: Job) -> bool:
        """Whether the rest of a finished job's results will not be requested any more."""
        return abs(self.clock() - job.since) > KEPT_SECONDS  # the clocks of several machines, which may jump

    def suspend(self) -> None:
        """Start no job for an hour."""
        self.journal.write(NO_BULK, f"{self.clock():.0f}")

    def suspended(self) -> bool:
        """Whether no job may be started now."""
        since = self.journal.read(NO_BULK)
        return since is not None and abs(self.clock() - float(since)) < NO_BULK_SECONDS

    def forget(self) -> None:
        """Erase the job."""
        self.journal.erase(NAME)
