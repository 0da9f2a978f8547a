"""A task that was decided and not sent when its account left: withdrawn or delivered, as its playbook says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, insert, select

from connectors.base import Unavailable
from tests.unit.delivery.scripted import always
from tests.unit.delivery.test_outbox import put_tasks, task
from tests.unit.pipeline.pipeline_kit import Project
from worker.delivery.one_sided import OneSided, one_sided
from worker.delivery.outbox import withdraw_tasks
from worker.store.engine import database_time
from worker.store.tables import crm_tasks, outbox

PLAYBOOK = """\
when: {enters: seats_used < 30}
leaves: seats_used > 60
repeat: {already_matching: include}
do:
  - create_task: {key: call, to: user(ann@example.com), subject: Call, due: 1d}
"""


def leave(project: Project) -> None:
    project.facts["a"]["seats_used"] = 80


def delete(project: Project) -> None:
    del project.facts["a"]
    project.listed = frozenset({"a"})  # in the data, and excluded or deleted there


def remove(project: Project) -> None:
    (project.root / "playbooks" / "demo.yaml").unlink()
    project.playbook(PLAYBOOK.replace("seats_used < 30", "seats_used > 1000"), name="other")


HAPPENS: dict[str, tuple[Callable[[Project], None], str, str]] = {
    "its account left": (leave, "dropped", "done"),
    "its account is gone": (delete, "dropped", "dropped"),
    "its playbook is gone": (remove, "dropped", "dropped"),
    "its playbook is in preview": (lambda project: project.playbook(PLAYBOOK, mode="preview"), "dropped", "dropped"),
}


@pytest.mark.parametrize(("happens", "by_default", "delivering"), HAPPENS.values(), ids=HAPPENS)
@pytest.mark.parametrize("once_decided", ["", "once_decided: deliver\n"])
def test_a_task_that_was_not_sent_when(
    project: Project, once_decided: str, happens: Callable[[Project], None], by_default: str, delivering: str
) -> None:
    project.playbook(PLAYBOOK + once_decided)
    project.facts = {name: {"seats_used": 20, "account.is_internal": False} for name in ("a", "b")}
    project.crm.script = always(Unavailable("away", 1))
    project.run(0)
    happens(project)
    project.crm.script = always("applied")
    project.run(1)
    with project.store.begin() as connection:
        of_a = (outbox.c.kind == "task_create") & (outbox.c.account_id == "a")
        states = connection.execute(select(outbox.c.state).where(of_a)).scalars().all()
    assert states == [delivering if once_decided else by_default]


def test_what_one_crm_has_and_another_never_got_is_counted_while_it_is_open(store: Engine) -> None:
    put_tasks(store, task("k1"), task("k2"), task("k3"))
    with store.begin() as connection:
        for key, status in (("k1", "open"), ("k2", "completed")):
            row = {"destination": "hubspot", "key": key, "task_id": key, "account_id": "a1", "playbook_id": "p"}
            more = {"task_key": "call", "entry": 1, "status": status, "close_when_leaves": False}
            connection.execute(insert(crm_tasks).values({**row, **more}))
        began = database_time(connection)
        assert one_sided(connection) == [], "nothing was withdrawn"
        withdraw_tasks(connection, lambda *_: "the account left")
        (found,) = one_sided(connection, began)
        assert found == OneSided("crm", "hubspot", 1)
        assert str(found).startswith("crm never got 1 task open in hubspot: withdrawn before delivery")
        assert one_sided(connection, database_time(connection) + 1) == []
