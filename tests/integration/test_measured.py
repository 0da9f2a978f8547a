"""What runs of the tests remember of each other's measuring is what they would measure, and is checked each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import AS_OF, prepare_stage
from tests.integration.measured import SHARED, measure_once
from worker.pipeline.measure import measure
from worker.settings.project import load_project
from worker.signals.errors import DistrustedData, StaleData
from worker.signals.trust import Usual


def test_what_is_remembered_is_what_was_measured_and_is_checked_against_the_runs_before(
    stages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SHARED, str(tmp_path))
    project = load_project(prepare_stage(stages, AS_OF, []))
    first = measure_once(project, AS_OF, None, None, Usual())
    ids = sorted(first.now)
    assert measure_once(project, AS_OF, len(first.now), None, Usual()) == first == measure(project, AS_OF, None, None)
    assert measure_once(project, AS_OF, None, ids[:2]) == measure(project, AS_OF, None, ids[:2])
    with pytest.raises(StaleData):
        measure_once(project, AS_OF, 1000, None, Usual())
    with pytest.raises(DistrustedData):
        measure_once(project, AS_OF, None, None, Usual(rows={"events": 1_000_000.0}))
    assert len(list(tmp_path.glob("*.json"))) == 1
