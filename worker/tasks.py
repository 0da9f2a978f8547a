"""The Celery tasks: thin, safe to run twice, and without state of their own."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from celery import Task, shared_task

from connectors.clock import stopwatch
from worker.delivery.stop import worker_stop
from worker.runtime.open_jobs import open_jobs
from worker.store.schedules import DueJob

_QUEUE_NAMES = {
    "run": "plgsync.compute",
    "deliver": "plgsync.deliver",
    "read_back": "plgsync.read_back",
    "prune": "plgsync.prune",
}
_PILED_UP_S = 5.0
_last_tick = float("-inf")


@shared_task(name="plgsync.tick", bind=True)
def tick(self: Task) -> None:
    """Send every due job to a worker. Ticks that piled up while no worker ran count as one."""
    global _last_tick
    if stopwatch() - _last_tick < _PILED_UP_S:
        return
    with open_jobs(stop=worker_stop, notify_admins=True) as jobs:
        due = jobs.take_due()
        try:
            while due:
                self.app.send_task(_QUEUE_NAMES[due[0].job], kwargs={"due": asdict(due[0])})
                due.pop(0)
        finally:
            jobs.release_slots(due)
    _last_tick = stopwatch()


@shared_task(name="plgsync.compute", bind=True, soft_time_limit=1500, time_limit=1800)
def compute(self: Task, due: dict[str, Any] | None = None) -> None:
    """Compute, decide and fill the outbox, then start a delivery."""
    slot = DueJob(**due) if due else None
    with open_jobs(stop=worker_stop, notify_admins=True, due=slot) as jobs:
        jobs.compute(slot)
        delivers = jobs.delivers
    if delivers:
        self.app.send_task("plgsync.deliver")


@shared_task(name="plgsync.deliver")
def deliver(due: dict[str, Any] | None = None) -> None:
    """Send the outbox to every destination in parallel."""
    slot = DueJob(**due) if due else None
    with open_jobs(stop=worker_stop, notify_admins=True, due=slot) as jobs:
        jobs.deliver(slot)


@shared_task(name="plgsync.read_back")
def read_back(due: dict[str, Any] | None = None) -> None:
    """Read from the CRMs what people changed."""
    slot = DueJob(**due) if due else None
    with open_jobs(stop=worker_stop, notify_admins=True, due=slot) as jobs:
        jobs.read_back(slot)


@shared_task(name="plgsync.prune")
def prune(due: dict[str, Any] | None = None) -> None:
    """Remove from the state database what nobody needs any more."""
    slot = DueJob(**due) if due else None
    with open_jobs(stop=worker_stop, notify_admins=True, due=slot) as jobs:
        jobs.prune(slot)
