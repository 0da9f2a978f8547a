"""A company that loses its state and adopts lives on as its twin that lost nothing: tasks, statuses and fields."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.clock import now
from tests.conftest import some_of
from tests.unit.adoption.adoption_kit import ONE_CRM, Company, History, playbook, task, two_crms
from worker.adoption.adopt import adopt
from worker.settings.problems import CommandError
from worker.store.moments import InFuture

DAYS = 13
Seen = tuple[list[tuple[str, ...]], dict[tuple[str, str], dict[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Life:
    """What happens to a company: who is active when, whose tasks people complete on a day, and when the state is lost.

    With a ``backup`` the state of the evening of that day is put back, else there is none. Playbooks act on what
    matches already where ``include`` says so.
    """

    steps: Sequence[str]
    active: History
    loss: int
    backup: int | None = None
    include: bool = True
    done: Mapping[int, str] = field(default_factory=dict)
    crms: str = ONE_CRM
    without_record: Mapping[str, Sequence[str]] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)


Live = Callable[..., Seen]


@pytest.fixture
def live(sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Live:
    """Live a life to its end, with its loss or without it; what the CRMs have then."""
    monkeypatch.setenv("TOKEN", "x")

    def lived(life: Life, *, loses: bool) -> Seen:
        company = Company(
            Path(tempfile.mkdtemp(dir=tmp_path)),
            sqlite_template,
            monkeypatch,
            playbook(*life.steps, already_matching="include" if life.include else "ignore"),
            life.active,
            crms=life.crms,
            without_record=life.without_record,
            parents=life.parents,
        )
        for day in range(DAYS):
            company.run(day)
            if day in life.done:
                company.people_complete_tasks(life.done[day], day)
            if loses and day == life.backup:
                backup = company.back_up()
            if loses and day == life.loss:
                company.lose_state(backup if life.backup is not None else None)
                company.adopt(day + 0.5)
        company.close()
        return company.tasks(), company.fields()

    return lived


CALL, AGAIN = task("call"), task("again")
STAYS = {"stays": [(2, 30)]}
SEVERAL = {
    **STAYS,
    "leaves": [(2, 8)],
    "done": [(2, 30)],
    "returns": [(2, 5), (12, 30)],
    "first": [(-5, 30)],
    "first-leaves": [(-5, 4), (8, 30)],
}
SHARED = ONE_CRM.replace("account_key}", "account_key, record: parent}").replace("40", "40, combine: top")
LIVES = {
    "every kind of account": Life(steps=[CALL, "wait: 9d", AGAIN], active=SEVERAL, loss=7, done={4: "done"}),
    "and it ignores what matches already": Life(steps=[CALL], active=SEVERAL, loss=7, include=False),
    "fields and a branch": Life(
        steps=[
            "set_fields: {busy: 'since {{seats_used}}'}",
            f"{{if: seats_used >= 60, then: [{CALL}], else: [{AGAIN}]}}",
            "wait: 6d",
            "set_fields: {later: 'yes'}",
        ],
        active=SEVERAL,
        loss=7,
    ),
    "a backup from before a task was closed, and from when an account of the baseline was there": Life(
        steps=[CALL],
        active={"gone": [(2, 5)], "back": [(2, 5), (10, 30)], "first": [(-5, 4), (8, 30)]},
        loss=7,
        backup=3,
        include=False,
    ),
    "one of two CRMs makes no tasks": Life(
        steps=[CALL, "wait: 9d", AGAIN], active=SEVERAL, loss=7, crms=two_crms(second_makes_tasks=False)
    ),
    "each of two CRMs lacks an account": Life(
        steps=[CALL, "wait: 9d", AGAIN],
        active=SEVERAL,
        loss=7,
        crms=two_crms(second_makes_tasks=True),
        without_record={"crm": ["stays"], "other": ["returns"]},
    ),
    "accounts share a record": Life(
        steps=[CALL, "wait: 9d", AGAIN],
        active={"top": [(-5, 30)], "child": [(2, 30)], "other": [(2, 8)]},
        loss=7,
        crms=SHARED,
        parents={"child": "top", "other": "top"},
    ),
}


@pytest.mark.parametrize("what", LIVES)
def test_all_goes_on_as_without_the_loss(what: str, live: Live) -> None:
    kept = live(LIVES[what], loses=False)
    assert kept[0]
    assert live(LIVES[what], loses=True) == kept


@pytest.mark.parametrize("include", [True, False])
def test_a_wait_before_the_first_task_begins_again_and_its_task_is_made_once(include: bool, live: Live) -> None:
    life = Life(
        steps=["wait: 4d", CALL],
        active={"waits": [(5, 30)], "has": [(1, 30)], "first": [(-9, 30)]},
        loss=7,
        include=include,
    )
    kept, lost = ([task[:3] for task in live(life, loses=loses)[0]] for loses in (False, True))
    assert lost == kept
    assert len(kept) == (3 if include else 2)


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """Of playbooks whose first task is made at once; where one ignores what matches, a CRM shows that it has run."""
    steps = [draw(st.sampled_from(["", "set_fields: {busy: 'since {{seats_used}}'}"])), task("t0")]
    for place in range(draw(st.integers(0, 3))):
        steps += [draw(st.sampled_from(["", "wait: 1d", "wait: 3d", "wait: 8d"])), task(f"t{place + 1}")]
    steps += [draw(st.sampled_from(["", "set_fields: {later: 'yes'}"]))]
    days = st.lists(st.integers(-6, 20), min_size=2, max_size=6, unique=True).map(sorted)
    histories = draw(st.lists(days, min_size=4, max_size=6))
    active = {f"a{one}": list(zip(of[::2], of[1::2], strict=False)) for one, of in enumerate(histories)}
    loss = draw(st.integers(3, 10))
    without = draw(st.lists(st.sampled_from(sorted(active)), unique=True, max_size=2))
    crms = draw(st.sampled_from([ONE_CRM, two_crms(second_makes_tasks=True), two_crms(second_makes_tasks=False)]))
    return Life(
        steps=[step for step in steps if step],
        active={**active, "entered": [(1, 40)]},
        loss=loss,
        backup=draw(st.none() | st.integers(0, loss)),
        include=draw(st.booleans()),
        done=draw(st.dictionaries(st.integers(0, DAYS - 1), st.sampled_from(sorted(active)), max_size=8)),
        crms=crms,
        without_record={"other": without},
    )


@settings(max_examples=some_of(8), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(life=lives())
def test_whatever_happened_all_goes_on_as_without_the_loss(life: Life, live: Live) -> None:
    assert live(life, loses=True) == live(life, loses=False)


def test_what_is_in_the_future_and_playbooks_that_cannot_be_read_are_refused(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "x")
    company = Company(tmp_path, sqlite_template, monkeypatch, playbook(CALL), STAYS)
    with pytest.raises(InFuture, match="adoption as of"):
        adopt(company.project, company.engine, company.connectors, now() + timedelta(minutes=6))
    company.write("playbooks/demo.yaml", playbook("wait: 3d"))
    with pytest.raises(CommandError, match=r"correct playbooks/demo\.yaml, then adopt"):
        company.adopt(3)
    company.close()
