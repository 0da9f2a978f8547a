"""The shares of unreadable cells that alerts compare come from the reports of the last two runs."""

from __future__ import annotations

from pathlib import Path

from worker.alerts.facts import load_facts
from worker.store.engine import open_store
from worker.store.state import save_volume


def test_the_unreadable_share_of_a_column_is_compared_with_the_run_before(tmp_path: Path) -> None:
    engine = open_store(f"sqlite:///{tmp_path / 'state.sqlite'}")
    with engine.begin() as connection:
        for day, unreadable in enumerate((90, 2, 8), start=1):
            columns = [{"name": "occurred_at", "unreadable": unreadable}]
            report = {"tables": [{"name": "events", "rows": 100, "columns": columns}]}
            assert day < 3 or load_facts(connection, None).unreadable == {"events.occurred_at": (0.9, 0.02)}
            save_volume(connection, f"2026-07-0{day}T00:00:00+00:00", 1, 1, report)
        assert load_facts(connection, None).unreadable == {"events.occurred_at": (0.02, 0.08)}
    engine.dispose()
