"""Events spelled in several ways: named by ``plgsync check``, and one event where ``same_event`` says so."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.signals.signals_kit import Database, at, product_of, signals_of
from worker.language.need import Need
from worker.reports.check import check_project
from worker.settings.shipped import write_project
from worker.signals.check import PlacedNeed, check_source, twins_of
from worker.signals.compute import compute
from worker.signals.source import open_source

CASE = Path(__file__).parents[4] / "shared" / "cases" / "35-event-names-spelled-two-ways"
AS_OF = at("2026-06-30 06:00")
SPELLED = ["Report Created"] * 3 + ["report created"] * 2 + ["report_created", "Signed In"]
SIGNALS = """
event_lists: {reports: [Report Created]}
SAME
signals:
  reports: {label: reports, from: events, measure: count, events: reports, window: 7d}
  kinds: {label: kinds, from: events, measure: kinds, window: 7d}
"""
SAME = "same_event: {Report Created: [report created, report_created]}"
COUNT = Need("count", "report_created", 7)


def _fill(database: Database) -> None:
    events = [
        {"account_id": "a", "user_id": "u", "name": name, "occurred_at": AS_OF - timedelta(days=1, hours=index)}
        for index, name in enumerate(SPELLED)
    ]
    database.fill({"accounts": [{"account_id": "a"}], "events": events})


@pytest.mark.parametrize(
    ("same", "reports", "kinds", "counted"), [("", 3.0, 4.0, 1.0), (SAME, 6.0, 2.0, 6.0)], ids=["apart", "same"]
)
def test_same_event_folds_spellings_in_signals_and_functions(
    database: Database, same: str, reports: float, kinds: float, counted: float
) -> None:
    _fill(database)
    product, signals = product_of(database.source, ["accounts", "events"]), signals_of(SIGNALS.replace("SAME", same))
    spellings = signals.names_of_spellings
    with open_source(product, database.folder, AS_OF, spellings) as source:
        found = source.report(AS_OF)
        values = compute(source, product, signals, [COUNT], AS_OF)["a"]
        placed = [PlacedNeed(COUNT, "playbooks/x.yaml")]
        warnings = [one.message for one in check_source(source, product, signals, placed) if "looks" in one.message]
    assert [values["reports"], values["kinds"], values[COUNT.key]] == [reports, kinds, counted]
    assert found.events["Report Created"].total == reports
    looks = '"report created" (2 events) looks like "{}"; same_event counts both as one'
    expected = [looks.format("Report Created"), looks.format("report_created")]
    assert warnings == ([] if same else expected)


def test_twins_differ_by_case_blanks_underscores_and_hyphens_only() -> None:
    seen = ["Report Created", "report-created", "Report  Created", "ReportCreated", "Report Viewed", "Reports Created"]
    assert twins_of(seen, ["Report Created", "Never"]) == {
        "Report Created": ["Report  Created", "ReportCreated", "report-created"]
    }
    assert twins_of(["report created"], ["Report Created"]) == {}


@pytest.mark.skipif(not CASE.is_dir(), reason="the cases are kept outside of the repository")
def test_check_names_the_spellings_of_an_event_in_use(tmp_path: Path) -> None:
    write_project(tmp_path)
    for part in ("config", "data"):
        shutil.copytree(CASE / part, tmp_path / part, dirs_exist_ok=True)
    (tmp_path / "config" / "crm.yaml").write_text("version: 1\nqueues: {}\n", encoding="utf-8")
    shutil.rmtree(tmp_path / "playbooks")
    found = [one for one in check_project(tmp_path, offline=False).problems if "looks like" in one.message]
    assert [(one.file, one.severity) for one in found] == [("config/signals.yaml", "warning")]
    assert found[0].message.startswith('"report created" (19 events) looks like "Report Created"')
