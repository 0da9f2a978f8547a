"""A worker whose clock is CHAOS_SKEW_H hours off, in every way that Python code can read it but the stopwatch."""

import os
import time
from datetime import datetime, timedelta

from connectors import clock

_OFF = timedelta(hours=float(os.environ["CHAOS_SKEW_H"]))
_true_time, _true_now = time.time, clock.now


def _now() -> datetime:
    return _true_now() + _OFF


clock.now = _now
time.time = lambda: _true_time() + _OFF.total_seconds()

from worker.app import app as app  # noqa: E402 - everything else is imported under the wrong clock
