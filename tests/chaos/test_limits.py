"""A CRM that limits, expires or is down: everything is sent in the end, and the other CRM is not held up."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.chaos.conftest import Figures, place
from tests.chaos.crew import Crew, open_crew
from tests.chaos.ground import WRITES, Ground, open_ground
from tests.chaos.wanted import sent, waiting


def storm_of_429(crew: Crew, ground: Ground) -> None:
    """Every other write call is refused for a while."""
    for crm, kind, args in (("salesforce", "status", {"status": 429}), ("hubspot", "limit", {"which": "burst"})):
        match = {"path_regex": WRITES[crm], "every": 2}
        ground.control(crm, "faults", {"kind": kind, "match": match, "args": args})
    met(crew, ground, 3)


def sessions_expire(crew: Crew, ground: Ground) -> None:
    """Every session ends, three times, and HubSpot's token is refused once."""
    ground.arm("hubspot", "token_expired")
    for _ in range(3):
        ground.control("salesforce", "mutate", {"do": "expire_sessions"})
        crew.until_written()
    crew.until(lambda: ground.fired("hubspot") >= 1, "the token was never refused")


def quota_runs_out(crew: Crew, ground: Ground) -> None:
    """The day's calls are used up in the middle, and there are new ones the next day."""
    ground.arm("hubspot", "limit", which="daily")
    ground.control("salesforce", "config", {"daily_api_requests": 1})
    for crm in ground.crms:
        crew.until(partial(waiting, ground.engine, crm, "QUOTA"), f"{crm} never ran out")
    ground.unlimited()


def has_met(ground: Ground, crm: str, times: int) -> bool:
    return ground.fired(crm) >= times


def met(crew: Crew, ground: Ground, times: int) -> None:
    for crm in ground.crms:
        crew.until(partial(has_met, ground, crm, times), f"{crm} met no fault")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("happens", [storm_of_429, sessions_expire, quota_runs_out], ids=lambda one: one.__name__)
def test_a_limit_in_the_middle(happens: Callable[[Crew, Ground], None], tmp_path: Path, figures: Figures) -> None:
    with (
        open_ground(tmp_path / "project", f"sqlite:///{tmp_path / 'state.db'}") as ground,
        open_crew(ground, place(tmp_path)) as crew,
    ):
        crew.add_inline("inline0")
        crew.add_producers("limits", 1)
        crew.until_written()
        happens(crew, ground)
        ground.disarm()
        recovery = crew.until_quiet(meanwhile=ground.let_time_pass)
        verdict = crew.verdict()
    figures(kills=happens.__name__, **verdict.figures(), recovery_s=round(recovery))
    assert verdict.good, verdict


@pytest.mark.timeout(400)
@pytest.mark.parametrize("down", ["salesforce", "hubspot"])
def test_one_crm_is_down_and_the_other_goes_on(down: str, tmp_path: Path, figures: Figures) -> None:
    up = "hubspot" if down == "salesforce" else "salesforce"
    with (
        open_ground(tmp_path / "project", f"sqlite:///{tmp_path / 'state.db'}") as ground,
        open_crew(ground, place(tmp_path)) as crew,
    ):
        ground.arm(down, "status", "/services/|/crm/", times=None, status=503)
        crew.add_inline("inline0")
        crew.add_producers("down", 1)
        crew.until_written(3)
        crew.enough()
        crew.until(lambda: crew.produced and not waiting(ground.engine, up), f"{up} is held up")
        answers, behind = sent(ground.engine), waiting(ground.engine, down)
        ground.disarm()
        recovery = crew.until_quiet(meanwhile=ground.let_time_pass)
        verdict = crew.verdict()
    figures(kills=f"{down} down", **verdict.figures(), recovery_s=round(recovery))
    assert behind > 0
    assert {name for name in answers if name.startswith(up)} == {f"{up} applied"}, "the healthy one has no failures"
    assert f"{down} applied" not in answers
    assert verdict.good, verdict
