"""Celery workers in processes of their own, and how to wake them and wait for what they do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests import forked
from tests.integration.conftest import PLGSYNC, REMEMBERING
from worker.app import app

_POLL_S = 0.2
RING_EVERY_S = 1.0
_PATIENCE_S = 120.0


@contextmanager
def workers(environment: Mapping[str, str], log: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two Celery workers in processes of their own; the second in an interpreter of its own."""
    command = [sys.executable, "-m", "celery", "-A", "worker.app", "worker", "--concurrency", "1", "--without-mingle"]
    with log.open("ab") as stderr:
        started = [
            start(
                [*command, "--queues", "compute,deliver,default", "--hostname", f"w{n}@localhost"],
                env=environment,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
            )
            for n, start in enumerate((forked.Popen[bytes], subprocess.Popen[bytes]))
        ]
        try:
            yield started
        finally:
            for process in started:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def ring(environment: Mapping[str, str], task: str = "plgsync.tick") -> bool:
    """Send one wake-up message, as beat does every fifteen seconds. Answers that nothing is known yet.

    It takes a process for RabbitMQ, whose queues the app of this one would declare as queues of Redis.
    """
    url = environment["PLGSYNC_BROKER_URL"]
    if url.startswith("amqp"):
        code = f"from worker.app import app; app.send_task({task!r})"
        forked.run([sys.executable, "-c", code], env=environment).check_returncode()
        return False
    with app.connection_for_write(url) as connection:
        app.send_task(task, connection=connection)
    return False


def until(true: Callable[[], bool], log: Path, every_s: float = _POLL_S) -> None:
    """Look again and again, for two minutes at most."""
    deadline = time.monotonic() + _PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, log.read_text(errors="replace")[-4000:]
        time.sleep(every_s)


@contextmanager
def one_worker(
    environment: Mapping[str, str], log: Path, start: type[subprocess.Popen[bytes]] = forked.Popen
) -> Iterator[subprocess.Popen[bytes]]:
    """One Celery worker as ``plgsync worker`` starts it; a forked one takes what others have measured."""
    plgsync = PLGSYNC if start is subprocess.Popen else REMEMBERING
    command = [*plgsync, "worker", "--queues", "compute,deliver,default", "--concurrency", "2", "--without-mingle"]
    with log.open("ab") as stderr:
        process = start(command, env=environment, stdout=stderr, stderr=stderr, start_new_session=True)
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
