"""The bootsteps of our Celery workers: a heartbeat, an event loop watchdog and a graceful shutdown.

Why not Celery's own features: ``inspect ping`` costs a second of CPU each time, and ``worker_shutting_down`` is sent
only after a cold shutdown has waited.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

from celery import bootsteps

from connectors.clock import stopwatch
from worker.delivery.stop import worker_stop
from worker.runtime.heartbeat import BEAT_EVERY_S, DEAD_AFTER_S, beat_while
from worker.settings.environment import heartbeat_file, stop_s

_STUCK_AFTER_S = DEAD_AFTER_S / 2


class _Loop:
    """When the consumer's event loop last turned; None while there is no broker, and so no loop."""

    def __init__(self) -> None:
        self.turned: float | None = None

    def turn(self) -> None:
        self.turned = stopwatch()

    def rest(self) -> None:
        self.turned = None

    def is_well(self) -> bool:
        """Whether it turns, or waits for a broker that is down: a restart would not help then."""
        return self.turned is None or stopwatch() - self.turned < _STUCK_AFTER_S


_loop = _Loop()


class GracefulShutdown(bootsteps.StartStopStep):  # type: ignore[misc] # celery ships no types
    """Makes deliveries end after the batch in flight as soon as the worker gets a signal to stop.

    A warm shutdown takes as long as that batch. A cold one would sleep for a fixed time even when the pool is idle. So
    a warm shutdown becomes cold only after PLGSYNC_STOP_S.
    """

    def start(self, parent: Any) -> None:  # noqa: ARG002 - Celery's signature
        """Handle SIGTERM, SIGQUIT and SIGINT before Celery does; SIGHUP is left to Celery."""
        patience_s = stop_s()
        for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
            celery_handler = signal.getsignal(number)
            if callable(celery_handler):
                signal.signal(number, _cancel_first(celery_handler, patience_s))


def _cancel_first(then: Any, patience_s: float) -> Any:
    def handle(number: int, frame: Any) -> None:
        if not worker_stop.cancelled:
            worker_stop.cancel()
            threading.Thread(target=_force_cold_shutdown, args=(patience_s,), name="cold shutdown", daemon=True).start()
        then(number, frame)

    return handle


def _force_cold_shutdown(patience_s: float) -> None:
    time.sleep(patience_s)
    os.kill(os.getpid(), signal.SIGQUIT)


class Heartbeat(bootsteps.StartStopStep):  # type: ignore[misc] # celery ships no types
    """Touches PLGSYNC_HEARTBEAT every five seconds."""

    def start(self, parent: Any) -> None:  # noqa: ARG002 - Celery's signature
        """Start the heartbeat when the variable names a file."""
        file = heartbeat_file()
        if file is not None:
            beat_while(file, _loop.is_well)


class EventLoopWatchdog(bootsteps.StartStopStep):  # type: ignore[misc] # celery ships no types
    """Records that the consumer's event loop turns while there is a broker."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        """Celery is connected to the broker."""
        _loop.turn()
        if parent.timer is not None:
            self._timer = parent.timer.call_repeatedly(BEAT_EVERY_S, _loop.turn)

    def stop(self, parent: Any) -> None:  # noqa: ARG002 - Celery's signature
        """The connection to the broker is lost, or the worker stops."""
        timer = getattr(self, "_timer", None)
        if timer is not None:
            timer.cancel()
        _loop.rest()
