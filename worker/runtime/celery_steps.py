"""What a Celery worker does besides tasks: it beats while it lives, and tells its pool at once when it has to end.

Why not Celery's own means: ``inspect ping`` costs a second of CPU each time, and ``worker_shutting_down`` is sent
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
    """When the consumer's event loop last turned. Without a broker there is no loop, and that is no fault of ours."""

    def __init__(self) -> None:
        self.turned: float | None = None

    def turn(self) -> None:
        self.turned = stopwatch()

    def rest(self) -> None:
        self.turned = None

    def is_well(self) -> bool:
        """Whether it turns, or waits for a broker that is away: then nothing is gained by a restart."""
        return self.turned is None or stopwatch() - self.turned < _STUCK_AFTER_S


_loop = _Loop()


class HeedSignals(bootsteps.StartStopStep):  # type: ignore[misc] # celery ships no types
    """Lets the deliveries under way end after their batch as soon as the worker is told to end.

    A warm shutdown takes as long as that batch does, a cold one would sleep for a fixed time whatever is done
    meanwhile; so a warm one turns cold only when PLGSYNC_STOP_S have passed.
    """

    def start(self, parent: Any) -> None:  # noqa: ARG002 - Celery's signature
        """Hear SIGTERM, SIGQUIT and SIGINT before Celery does; SIGHUP is left to it."""
        patience_s = stop_s()
        for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
            celerys = signal.getsignal(number)
            if callable(celerys):
                signal.signal(number, _ask_first(celerys, patience_s))


def _ask_first(then: Any, patience_s: float) -> Any:
    def handle(number: int, frame: Any) -> None:
        if not worker_stop.cancelled:
            worker_stop.cancel()
            threading.Thread(target=_cut_off, args=(patience_s,), name="cut off", daemon=True).start()
        then(number, frame)

    return handle


def _cut_off(patience_s: float) -> None:
    time.sleep(patience_s)
    os.kill(os.getpid(), signal.SIGQUIT)


class Heartbeat(bootsteps.StartStopStep):  # type: ignore[misc] # celery ships no types
    """Touches PLGSYNC_HEARTBEAT every five seconds."""

    def start(self, parent: Any) -> None:  # noqa: ARG002 - Celery's signature
        """Begin, if a file is named."""
        file = heartbeat_file()
        if file is not None:
            beat_while(file, _loop.is_well)


class WatchLoop(bootsteps.StartStopStep):  # type: ignore[misc] # celery ships no types
    """Sees the consumer's event loop turn while there is a broker."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        """The broker is there."""
        _loop.turn()
        if parent.timer is not None:
            self._timer = parent.timer.call_repeatedly(BEAT_EVERY_S, _loop.turn)

    def stop(self, parent: Any) -> None:  # noqa: ARG002 - Celery's signature
        """The broker is gone, or the worker ends."""
        timer = getattr(self, "_timer", None)
        if timer is not None:
            timer.cancel()
        _loop.rest()
