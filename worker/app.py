"""The Celery app: settings that lose no message for long, and a beat that only wakes up a worker.

The database is the queue of record, so a lost message costs a delay and a doubled one costs nothing. Why
each setting: Celery's defaults lost 2 of 8 tasks on kill -9 and left 4 stuck for an hour; with these none was lost. How
a worker stops is in `worker.runtime.celery_steps`.
"""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init, worker_process_shutdown

from worker.runtime.celery_steps import EventLoopWatchdog, GracefulShutdown, Heartbeat
from worker.runtime.database import make_ready
from worker.settings.environment import InvalidEnvironment, broker_url, check_environment, project_dir
from worker.store.errors import StoreError
from worker.telemetry.logs import log_for_machines
from worker.telemetry.tracing import flush

TICK_EVERY_S = 15.0
"""With the lease of a job (30 s) less than a minute, after which the work of a dead worker is done again."""

app = Celery("plgsync", broker=broker_url(), include=["worker.tasks"])
app.conf.update(
    task_ignore_result=True,
    result_backend=None,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_acks_on_failure_or_timeout=True,
    worker_prefetch_multiplier=1,
    task_soft_time_limit=120,
    task_time_limit=150,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    worker_soft_shutdown_timeout=0,
    worker_max_tasks_per_child=1000,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    task_serializer="json",
    accept_content=["json"],
    enable_utc=True,
    timezone="UTC",
    task_default_queue="default",
    task_routes={"plgsync.compute": {"queue": "compute"}, "plgsync.deliver": {"queue": "deliver"}},
    beat_schedule={
        # No "expires": a worker compares it with its own clock, and one that is ahead would take no tick at all.
        "wake up a worker": {"task": "plgsync.tick", "schedule": TICK_EVERY_S},
    },
)
app.steps["worker"] |= {GracefulShutdown, Heartbeat}
app.steps["consumer"].add(EventLoopWatchdog)
if broker_url().startswith("redis"):
    app.conf.broker_transport_options = {
        "visibility_timeout": 300,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "socket_timeout": 30,
        "socket_keepalive": True,
        "health_check_interval": 25,
    }
else:
    app.conf.update(
        task_default_queue_type="quorum",
        task_create_missing_queue_type="quorum",  # else only `default` is one; compute and deliver are created as named
        # RabbitMQ 4.3 rejects queues that are neither durable nor exclusive. The one for remote control would lock out
        # a worker that comes back under the same name before its old connection is gone, so there is none.
        control_queue_exclusive=True,
        event_queue_exclusive=True,
        worker_enable_remote_control=False,
        task_default_exchange_type="topic",
        task_create_missing_queue_exchange_type="topic",  # else Celery warns at each start of delays that we do not use
        broker_transport_options={"confirm_publish": True},
    )


@worker_init.connect
def _bring_schema_up_to_date(**_: Any) -> None:
    """Before the pool is forked, so that its processes need not; on a newer schema no worker starts."""
    try:
        check_environment()
        make_ready(project_dir())
    except (InvalidEnvironment, StoreError) as error:
        raise SystemExit(str(error)) from None


@worker_process_shutdown.connect
def _send_traces(**_: Any) -> None:
    """A pool process exits without running Python's atexit handlers."""
    flush()


@setup_logging.connect
def _log_as_json(**_: Any) -> None:
    log_for_machines()
