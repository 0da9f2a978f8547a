"""While an event is stopped, what was published of the scores that read it stays."""

from __future__ import annotations

import pytest

from tests.unit.pipeline.pipeline_kit import SCORES, Project

OF_EVENTS = SCORES.replace("seats_used", "key_events_28d")


@pytest.mark.parametrize("read_now", [None, 20])
def test_a_score_that_reads_a_stopped_event_keeps_its_published_value(project: Project, read_now: int | None) -> None:
    project.write("config/scores.yaml", OF_EVENTS)
    project.facts = {"a": {"key_events_28d": 80}}
    project.run(0)
    assert project.crm.records["R-a"]["health"] == 80
    project.facts, project.stopped = {"a": {"key_events_28d": read_now}}, {"Report Created": "report_created"}
    assert not project.run(1).computed.plan.records
    assert project.crm.records["R-a"]["health"] == 80
    project.facts, project.stopped = {"a": {"key_events_28d": 30}}, {}
    project.run(2)
    assert project.crm.records["R-a"]["health"] == 30


def test_a_score_that_reads_other_facts_goes_on(project: Project) -> None:
    project.facts = {"a": {"seats_used": 80}}
    project.run(0)
    project.facts, project.stopped = {"a": {"seats_used": 30}}, {"Report Created": None}
    project.run(1)
    assert project.crm.records["R-a"]["health"] == 30
