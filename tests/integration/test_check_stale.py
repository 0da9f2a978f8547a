"""``plgsync check`` finds first what stops a run: old data too."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from connectors.clock import now
from worker.demo.company import build_company
from worker.reports.check import check_project
from worker.settings.shipped import write_project


@pytest.mark.parametrize(("age", "stale"), [(timedelta(), False), (timedelta(days=20), True)])
def test_old_data_that_stops_a_run_is_an_error_of_check(tmp_path: Path, age: timedelta, stale: bool) -> None:
    write_project(tmp_path)
    (tmp_path / "config" / "crm.yaml").write_text("version: 1\nqueues: {}\n", encoding="utf-8")
    for playbook in (tmp_path / "playbooks").iterdir():
        playbook.unlink()
    build_company(tmp_path / "data" / "product.duckdb", 20, 7, as_of=now() - age)
    found = [p for p in check_project(tmp_path, offline=False).problems if "a run would stop now" in p.message]
    assert [(problem.severity, problem.file) for problem in found] == [("error", "config/product.yaml")] * stale
