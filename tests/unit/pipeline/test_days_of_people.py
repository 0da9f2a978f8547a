"""limits.per_owner counts the day of the person, whatever UTC says."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from connectors.base import Owner
from tests.unit.pipeline.pipeline_kit import START, Project
from worker.rendering.remarks import remarks, remarks_json
from worker.rules.actions import MakeTask

CALL = """\
when: {enters: seats_used >= 50}
repeat: {already_matching: include}
limits: {per_owner: 2 per day}
do:
  - create_task: {key: call, to: user(ann@example.com), subject: Call, due: 1d}
"""


def calendar(project: Project, zone: str) -> None:
    project.write("config/schedule.yaml", f"version: 1\ncalendar: {{zone: {zone}}}\n")


@pytest.mark.parametrize(
    ("zone", "usual", "counts", "start"),
    [
        ("Pacific/Auckland", "UTC", "Pacific/Auckland", "2026-04-03"),  # clocks go back on the 5th
        ("America/New_York", "UTC", "America/New_York", "2026-03-06"),  # and forward on the 8th
        ("", "America/Los_Angeles", "America/Los_Angeles", "2026-03-06"),
        ("Pacific/Nowhere", "Asia/Kathmandu", "Asia/Kathmandu", "2026-03-06"),
        ("Australia/Lord_Howe", "America/Los_Angeles", "Australia/Lord_Howe", "2026-04-03"),
    ],
)
def test_nobody_gets_more_or_fewer_tasks_on_a_day_of_theirs(
    project: Project, monkeypatch: pytest.MonkeyPatch, zone: str, usual: str, counts: str, start: str
) -> None:
    project.playbook(CALL)
    calendar(project, usual)
    monkeypatch.setattr(project.crm, "owners", lambda: [Owner("1", "ann@example.com", "Ann", True, zone)])
    project.facts = {f"a{n:02}": {"seats_used": 60} for n in range(14)}
    local, made = ZoneInfo(counts), Counter[str]()
    first = datetime.fromisoformat(start).replace(tzinfo=local)
    for hours in range(0, 4 * 24, 4):
        at = first + timedelta(hours=hours)
        run = project.run((at - START) / timedelta(days=1))
        actions = [action for one in run.computed.playbooks["demo"].decisions for action in one.actions]
        made[f"{at.astimezone(local):%Y-%m-%d}"] += sum(isinstance(action, MakeTask) for action in actions)
    assert set(made.values()) == {2}, made


def test_an_account_with_a_zone_that_does_not_exist_is_named(project: Project) -> None:
    project.playbook(CALL)
    project.facts = {
        "a": {"seats_used": 1, "account.tz": "Berlin", "account.name": "Acme"},
        "b": {"seats_used": 1, "account.tz": "Europe/Berlin"},
        "c": {"seats_used": 1, "account.tz": None},
    }
    computed = project.run(0).computed
    assert "1 account has an account.tz that is no time zone; their days are those of the calendar: Acme" in list(
        remarks(computed)
    )
    assert remarks_json(computed)["unknown_zones"] == ["a"]
