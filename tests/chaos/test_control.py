"""The controls: without the key in the CRM there are copies, and acknowledged before it is sent some are lost.

If these come out clean the other tests of this folder show nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from random import Random

import pytest

from tests.chaos.conftest import Figures, place
from tests.chaos.crew import open_crew
from tests.chaos.ground import open_ground
from tests.chaos.test_kills import ACTS, TASK_WRITES, kill, slow_and_forgetful
from tests.chaos.wanted import Verdict

_KILLS = len(ACTS)
_PLAINLY = {**TASK_WRITES, "salesforce": ("POST", "/composite/sobjects$")}

pytestmark = pytest.mark.timeout(600)


def killed(folder: Path, chance: Random, module: str, *, keyless: bool = False) -> Verdict:
    """The kills in the act of the test without servers, of a process that is less careful."""
    url = f"sqlite:///{folder / 'state.db'}"
    with (
        open_ground(folder / "project", url, without_task_key=["hubspot"] if keyless else []) as ground,
        open_crew(ground, place(folder)) as crew,
    ):
        slow_and_forgetful(ground)
        crew.add_inline("inline0", module)
        crew.add_producers("control")
        kill(crew, chance, _KILLS, act_every=1, writes=_PLAINLY if keyless else TASK_WRITES)
        ground.disarm()
        crew.until_quiet()
        return crew.verdict()


def crms(names: Iterable[str]) -> set[str]:
    return {name.split()[0] for name in names}


def test_control_without_a_key_in_the_crm_tasks_are_doubled(tmp_path: Path, chance: Random, figures: Figures) -> None:
    verdict = killed(tmp_path, chance, "tests.chaos.keyless", keyless=True)
    figures(kills=_KILLS, **verdict.figures())
    assert crms(verdict.doubled) == {"salesforce", "hubspot"}, "without the key this must show copies"
    assert not verdict.lost


def test_control_acknowledged_before_it_is_sent_tasks_are_lost(
    tmp_path: Path, chance: Random, figures: Figures
) -> None:
    verdict = killed(tmp_path, chance, "tests.chaos.hasty")
    figures(kills=_KILLS, **verdict.figures())
    assert crms(verdict.lost) == {"salesforce", "hubspot"}, "acknowledged before it is sent, some must be lost"
    assert not verdict.doubled
