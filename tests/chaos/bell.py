"""A beat that rings for a delivery every half a second, instead of every five minutes."""

from worker.app import app

app.conf.beat_schedule = {
    "ring": {"task": "plgsync.deliver", "schedule": 0.5, "options": {"expires": 2.0}},
}
