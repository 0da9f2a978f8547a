"""``plgsync check`` says that a run would stop on old data, and calls no file wrong for it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from connectors.clock import now
from worker.demo.company import build_company
from worker.reports.check import check_project
from worker.settings.shipped import write_project


@pytest.mark.parametrize(("age", "stale"), [(timedelta(), False), (timedelta(days=20), True)])
def test_check_warns_of_a_source_that_a_run_would_refuse(tmp_path: Path, age: timedelta, stale: bool) -> None:
    write_project(tmp_path)
    (tmp_path / "config" / "crm.yaml").write_text("version: 1\nqueues: {}\n", encoding="utf-8")
    for playbook in (tmp_path / "playbooks").iterdir():
        playbook.unlink()
    build_company(tmp_path / "data" / "product.duckdb", 20, 7, as_of=now() - age)
    found = [p for p in check_project(tmp_path, offline=False).problems if "a run would stop now" in p.message]
    assert [(problem.severity, problem.file) for problem in found] == [("warning", "config/product.yaml")] * stale
