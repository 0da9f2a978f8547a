"""What processes tell each other of bulk jobs: which is ours, how far it is, and until when none is begun."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from connectors.base import Journal
from connectors.clock import unix_time

NAME = "salesforce_bulk_job"
UPLOADED = "uploaded"
"""Kept behind a job's id once its data has arrived, so that only UploadComplete is missing."""
FINISHED = "finished"
NO_BULK = "salesforce_no_bulk_since"
NO_BULK_SECONDS = 3600.0
"""How long no job is begun after one was refused or failed."""
KEPT_SECONDS = 600.0
"""How long results wait for operations that nobody asks about any more. The others come within seconds."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job of ours; ``told`` of its results have been given since it was found finished, at ``since``."""

    id: str
    stage: str = ""
    since: float = 0.0
    told: int = 0


@dataclass(frozen=True, slots=True)
class Notes:
    """The notes of one org."""

    journal: Journal
    clock: Callable[[], float] = unix_time

    def job(self) -> Job | None:
        """The job that is under way or not yet told in full."""
        match (self.journal.read(NAME) or "").split():
            case [job, stage, since, told]:
                return Job(job, stage, float(since), int(told))
            case [job, stage]:
                return Job(job, stage)
            case [job]:
                return Job(job)
            case _:
                return None

    def begun(self, job: str) -> None:
        """A job is there; it has no data yet."""
        self.journal.write(NAME, job)

    def uploaded(self, job: str) -> None:
        """All its data has arrived."""
        self.journal.write(NAME, f"{job} {UPLOADED}")

    def told(self, job: Job, results: int) -> Job:
        """So many more of a finished job's results are given now."""
        since = job.since if job.stage == FINISHED else self.clock()
        now = replace(job, stage=FINISHED, since=since, told=job.told + results)
        if now != job:
            self.journal.write(NAME, f"{now.id} {now.stage} {now.since:.0f} {now.told}")
        return now

    def has_waited(self, job: Job) -> bool:
        """Whether nobody will ask for the rest of a finished job's results any more."""
        return abs(self.clock() - job.since) > KEPT_SECONDS  # several machines' clocks, which may jump

    def do_without(self) -> None:
        """Begin no job for an hour."""
        self.journal.write(NO_BULK, f"{self.clock():.0f}")

    def without(self) -> bool:
        """Whether no job is to be begun now."""
        since = self.journal.read(NO_BULK)
        return since is not None and abs(self.clock() - float(since)) < NO_BULK_SECONDS

    def forget(self) -> None:
        """There is no job any more."""
        self.journal.erase(NAME)
