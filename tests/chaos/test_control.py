"""The controls: without the key in the CRM there are copies, and acknowledged before it is sent some are lost.

If these come out clean the other tests of this folder show nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.chaos.conftest import Figures, place
from tests.chaos.crew import open_crew
from tests.chaos.ground import open_ground
from tests.chaos.test_kills import ACTS, TASK_WRITES, kill_in_the_act, slow_and_forgetful
from tests.chaos.wanted import Verdict

_NOT_APPLIED = [act for act in ACTS if act[1] == "hold"]
_APPLIED = [act for act in ACTS if act[1] == "hold_after"]
_PLAINLY = {**TASK_WRITES, "salesforce": ("POST", "/composite/sobjects$")}

pytestmark = pytest.mark.timeout(600)


def killed(folder: Path, module: str, *, keyless: bool = False) -> Verdict:
    """A process that is less careful is killed when each CRM has a batch of tasks: applied without a key, else not."""
    url = f"sqlite:///{folder / 'state.db'}"
    with (
        open_ground(folder / "project", url, without_task_key=["hubspot"] if keyless else []) as ground,
        open_crew(ground, place(folder)) as crew,
    ):
        slow_and_forgetful(ground)
        crew.add_inline("inline0", module)
        crew.add_producers("control", 1)
        for crm, kind in _APPLIED if keyless else _NOT_APPLIED:
            kill_in_the_act(crew, crm, kind, _PLAINLY if keyless else TASK_WRITES)
            crew.keep_running()
        ground.disarm()
        crew.until_quiet()
        return crew.verdict()


def crms(names: Iterable[str]) -> set[str]:
    return {name.split()[0] for name in names}


def test_control_without_a_key_in_the_crm_tasks_are_doubled(tmp_path: Path, figures: Figures) -> None:
    verdict = killed(tmp_path, "tests.chaos.keyless", keyless=True)
    figures(kills=len(_APPLIED), **verdict.figures())
    assert crms(verdict.doubled) == {"salesforce", "hubspot"}, "without the key this must show copies"
    assert not verdict.lost


def test_control_acknowledged_before_it_is_sent_tasks_are_lost(tmp_path: Path, figures: Figures) -> None:
    verdict = killed(tmp_path, "tests.chaos.hasty")
    figures(kills=len(_NOT_APPLIED), **verdict.figures())
    assert crms(verdict.lost) == {"salesforce", "hubspot"}, "acknowledged before it is sent, some must be lost"
    assert not verdict.doubled
