"""A beat that rings for a delivery every half a second, instead of every five minutes.

With CHAOS_SKEW its messages never expire: a worker whose clock is ahead would throw them away unread.
"""

import os

from worker.app import app

_EXPIRES = {} if os.environ.get("CHAOS_SKEW") else {"expires": 2.0}
_EVERY_S = 2.0 if os.environ.get("CHAOS_SKEW") else 0.5

app.conf.beat_schedule = {"ring": {"task": "plgsync.deliver", "schedule": _EVERY_S, "options": _EXPIRES}}
