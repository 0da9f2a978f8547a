"""A score memory is read and written as version 0.1.0 stored it: workers of that version go on beside this one."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

from worker.scores.memory import BandMemory, PqlMemory, Published, ScoreMemory

STORED = json.loads("""
{"as_of": "2026-11-23T06:00:00+00:00", "version": "abc", "profile": "smb",
 "days": [["2026-11-22", 71.5], ["2026-11-23", 64.0]],
 "band": {"band": "green", "wanted": "yellow", "runs": 1, "since": "2026-11-01T06:00:00+00:00"},
 "caps": ["no_admin"], "milestones": [["first_report", "2026-10-02T09:30:00+00:00"]],
 "pql": {"state": "open", "since": "2026-11-20T06:00:00+00:00", "entered_at": "2026-11-19T06:00:00+00:00",
         "pending_since": null, "off_since": "2026-11-22T06:00:00+00:00", "hand_raised": true, "worked": false,
         "reason": "no budget", "fit_grade": "B"},
 "health_shown": {"score": 64, "change": -7, "reasons": "logins fell", "because_of": "green|ok"}, "pql_shown": null}
""")
"""As version 0.1.0 wrote it."""


def test_a_memory_of_0_1_0_is_read_and_written_as_it_was() -> None:
    def on(day: int) -> datetime:
        return datetime(2026, 11, day, 6, tzinfo=UTC)

    memory = ScoreMemory(
        as_of=on(23),
        version="abc",
        profile="smb",
        days=((date(2026, 11, 22), 71.5), (date(2026, 11, 23), 64.0)),
        band=BandMemory("green", "yellow", 1, on(1)),
        caps=("no_admin",),
        milestones=(("first_report", datetime(2026, 10, 2, 9, 30, tzinfo=UTC)),),
        pql=PqlMemory(
            state="open",
            since=on(20),
            entered_at=on(19),
            off_since=on(22),
            hand_raised=True,
            reason="no budget",
            fit_grade="B",
        ),
        published={"health": Published(64, -7, "logins fell", "green|ok")},
    )
    assert ScoreMemory.from_json(STORED) == memory
    assert {name: value for name, value in memory.to_json().items() if name in STORED} == STORED
