"""A run as of a moment before the product had any data queues nothing and says why; the runs after it are as usual."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests import in_process
from tests.integration.company import SCORES, SIGNALS
from tests.integration.small_project import STATE, write_settings, write_tables

ACCOUNTS = [{"account_id": "a", "name": "Acme", "domain": "a.example", "created_at": "2026-03-01 09:00:00"}]
EVENTS = [
    {"account_id": "a", "user_id": "u", "name": "Report Created", "occurred_at": f"2026-03-0{day} 10:00:00"}
    for day in (2, 3)
]


def test_a_run_before_the_first_event_queues_nothing(tmp_path: Path) -> None:
    tables = {"accounts": ACCOUNTS, "events": EVENTS}
    files = {"config/signals.yaml": SIGNALS, "config/scores.yaml": SCORES}
    write_settings(tmp_path, list(tables), {}, files)
    write_tables(tmp_path, tables)

    def run(as_of: str) -> tuple[int, str]:
        done = in_process.plgsync("run", "--as-of", as_of, "--project", str(tmp_path))
        return done.returncode, done.stderr

    for as_of in ("2020-02-29", "2026-03-02T09:59:59Z"):
        code, said = run(as_of)
        assert (code, "there are no events at all before this moment" in said) == (1, True), said
    assert run("2026-03-03T12:00Z")[0] == 0
    with closing(sqlite3.connect(tmp_path / STATE)) as state:
        assert state.execute("select as_of from runs").fetchall() == [("2026-03-03T12:00:00Z",)]
    code, said = run("2020-02-29")
    assert (code, "cannot go back" in said) == (1, True)
