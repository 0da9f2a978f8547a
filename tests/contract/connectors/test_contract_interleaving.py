"""Any mix of deliveries, bad days and people at work that ends quiet leaves the CRM as it should be."""

from __future__ import annotations

from typing import get_args

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.connectors.drive import companies, deliver, keys_of_tasks, task, update
from tests.contract.connectors.harness import Crm, Fault

RECORDS = 6
TRANSIENT = sorted(set(get_args(Fault)) - {"access_revoked", "quota_exhausted", "unavailable_reads"})

steps = st.lists(
    st.one_of(
        st.tuples(st.just("fault"), st.sampled_from(TRANSIENT)),
        st.tuples(st.just("fields"), st.integers(0, 100)),
        st.tuples(st.just("tasks"), st.integers(0, 2)),
        st.tuples(st.just("completes"), st.integers(0, RECORDS - 1)),
        st.tuples(st.just("retitles"), st.integers(0, RECORDS - 1)),
        st.tuples(st.just("deletes"), st.integers(0, RECORDS - 1)),
    ),
    max_size=12,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_whatever_happens_the_crm_ends_as_desired(crm: Crm, steps: list[tuple[str, object]]) -> None:
    crm.reset()
    connector = crm.connect()
    connector.setup(crm.needs(), dry_run=False)
    records = companies(crm, RECORDS)
    desired: int | None = None
    wanted: set[str] = set()
    human: dict[str, str] = {}
    for what, given_ in steps:
        if what == "fault":
            crm.arm(given_)  # type: ignore[arg-type]
        elif what == "fields":
            desired = int(str(given_))
            settled = deliver(crm, [update(crm, record, score=desired) for record in records])
            assert {outcome.status for outcome in settled.values()} == {"applied"}
        elif what == "tasks":
            operations = [task(record, given_) for record in records]
            settled = deliver(crm, operations)
            assert {outcome.status for outcome in settled.values()} == {"applied"}
            wanted |= {op.key for op in operations}
        else:
            _person(crm, what, int(str(given_)), human)
    assert {crm.company(record)["score"] for record in records} == {desired}
    assert keys_of_tasks(crm) == dict.fromkeys(wanted, 1)
    assert crm.company_count() == RECORDS
    now = {seen.id: seen for seen in crm.tasks()}
    for task_id, did in human.items():
        expected = {"completes": now[task_id].status == "completed", "deletes": now[task_id].status == "deleted"}
        assert expected.get(did, now[task_id].subject == "Mine now")


def _person(crm: Crm, what: str, n: int, human: dict[str, str]) -> None:
    """A person does one thing to the n-th task they have not deleted."""
    tasks = [seen for seen in crm.tasks() if seen.status == "open" and seen.id not in human]
    if n >= len(tasks):
        return
    task_id = tasks[n].id
    if what == "completes":
        crm.human_completes_task(task_id)
    elif what == "deletes":
        crm.human_deletes_task(task_id)
    else:
        crm.human_retitles_task(task_id, "Mine now")
    human[task_id] = what
