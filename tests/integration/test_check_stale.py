"""``plgsync check`` finds first what stops a run: old data too. What a run found that stops is stored."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from connectors.clock import now
from worker.demo.company import build_company
from worker.pipeline.run import run
from worker.reports.check import check_project
from worker.settings.environment import database_url
from worker.settings.project import load_project
from worker.settings.shipped import write_project
from worker.signals.errors import StaleData
from worker.store.engine import open_store
from worker.store.state import last_report, recent_sizes, usual_of_tables


def _project(folder: Path, age: timedelta) -> None:
    write_project(folder)
    (folder / "config" / "crm.yaml").write_text("version: 1\nqueues: {}\n", encoding="utf-8")
    for playbook in (folder / "playbooks").iterdir():
        playbook.unlink()
    build_company(folder / "data" / "product.duckdb", 20, 7, as_of=now() - age)


@pytest.mark.parametrize(("age", "stale"), [(timedelta(), False), (timedelta(days=20), True)])
def test_old_data_that_stops_a_run_is_an_error_of_check(tmp_path: Path, age: timedelta, stale: bool) -> None:
    _project(tmp_path, age)
    found = [p for p in check_project(tmp_path, offline=False).problems if "a run would stop now" in p.message]
    assert [(problem.severity, problem.file) for problem in found] == [("error", "config/product.yaml")] * stale


def test_a_run_that_refuses_the_data_stores_what_it_found_and_nothing_compares_with_it(tmp_path: Path) -> None:
    _project(tmp_path, timedelta(days=20))
    engine = open_store(database_url(tmp_path))
    with pytest.raises(StaleData, match="the latest event is"):
        run(load_project(tmp_path), engine, {}, now(), now=now)
    with engine.begin() as connection:
        report = last_report(connection) or {}
        assert (recent_sizes(connection), usual_of_tables(connection, "rows")) == ([], {})
    engine.dispose()
    assert report["rows"]["accounts"] == report["accounts"] == 20
    assert all(table["missing_shares"].keys() == table["missing"].keys() for table in report["tables"])


def test_a_run_says_why_it_refuses_the_data_even_where_the_report_cannot_be_stored(tmp_path: Path) -> None:
    _project(tmp_path, timedelta(days=20))
    engine = open_store(database_url(tmp_path))
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE refused_reports"))
    with pytest.raises(StaleData, match="the latest event is"):
        run(load_project(tmp_path), engine, {}, now(), now=now)
    engine.dispose()
