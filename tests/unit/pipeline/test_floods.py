"""An edit that lets many accounts in at once waits for an operator."""

from __future__ import annotations

import pytest

from tests.unit.pipeline.pipeline_kit import Project
from worker.planning.guard import UnsafePlan

CALL = """\
when: {enters: seats_used >= 90}
limits: {breaker: 2}
do:
  - create_task: {key: call, to: account_owner, subject: Call, due: 1d}
"""


def test_a_loosened_threshold_queues_nothing_until_it_is_approved_or_taken_back(project: Project) -> None:
    project.playbook(CALL)
    project.facts = {name: {"seats_used": 60} for name in ("a", "b", "c")}
    project.run(0)
    project.playbook(CALL.replace("90", "50"))
    for day in (1, 2):
        with pytest.raises(UnsafePlan, match=r"demo: .* 3 accounts start to match at once, limits.breaker allows 2"):
            project.run(day)
    assert not project.crm.tasks
    project.playbook(CALL.replace("90", "50").replace("breaker: 2", "breaker: 3"))
    project.run(3)
    assert len(project.crm.tasks) == 3
