"""``write:`` always rewrites, if_empty only fills, if_ours leaves alone what a person changed, and says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, select, update

from connectors.base import FieldSpec, Scalar
from tests.conftest import some_of
from tests.unit.planning.whole_crm import KEY, NoReasons, WholeCrm
from worker.delivery.backlog import retry_rows, waiting_rows
from worker.delivery.leases import reclaim_leases
from worker.delivery.send import deliver
from worker.planning.crm_view import load_view, save_view
from worker.planning.desired import Desired
from worker.planning.enqueue import enqueue_plan
from worker.planning.make_plan import make_plan
from worker.planning.plan import Plan
from worker.planning.read_crm import read_crm
from worker.settings.crm import CrmSettings
from worker.store.tables import ledger, metadata, outbox

MODES = ("always", "if_empty", "if_ours")
CRM = CrmSettings.model_validate(
    {
        "version": 1,
        "destinations": {
            "crm": {
                "kind": "hubspot",
                "auth": {"token": "env:TOKEN"},
                "account": {"object": "companies", "match_field": KEY},
                "fields": {mode: {"field": f"f_{mode}", "from": f"our.{mode}", "write": mode} for mode in MODES},
            }
        },
    }
)
SPECS = {name: FieldSpec(name=name, type="string", length=64) for name in (KEY, *(f"f_{mode}" for mode in MODES))}


@dataclass
class Story:
    """One account, its record, and run after run."""

    store: Engine
    crm: WholeCrm = field(default_factory=lambda: WholeCrm(records={"R": {KEY: "a"}}, specs=SPECS))

    def run(self, **wanted: Scalar) -> Plan:
        """Read, plan, queue, deliver; every back-off is over."""
        with self.store.begin() as connection:
            view = load_view(connection, "crm", CRM, self.crm, datetime(2026, 7, 1, tzinfo=UTC))
        read_crm(view, {"a": {}})
        assert view.readings.problem == ""
        fields: Mapping[str, Any] = {f"our.{mode}": value for mode, value in wanted.items()}
        plan = make_plan([view], Desired({"a": fields}, {}, [], frozenset()), "2026-07-01T00:00:00Z", "v1")
        with self.store.begin() as connection:
            save_view(connection, view)
            enqueue_plan(connection, [view], plan, "r", NoReasons())
            connection.execute(update(outbox).values(due_at=0.0))
        deliver(self.store, self.crm, now=lambda: datetime(2026, 7, 1, tzinfo=UTC))
        return plan

    def shows(self, mode: str) -> Scalar:
        value: Scalar = self.crm.records["R"].get(f"f_{mode}")
        return value


@pytest.fixture
def story(store: Engine) -> Story:
    return Story(store)


def every(value: Scalar) -> dict[str, Scalar]:
    return dict.fromkeys(MODES, value)


def kept(plan: Plan) -> list[tuple[str, str, str]]:
    return [(one.field, one.account_id, one.url) for one in plan.human_owned]


def test_nobody_interferes_and_all_but_if_empty_follow(story: Story) -> None:
    for value in ("1", "2"):
        assert kept(story.run(**every(value))) == []
    assert {mode: story.shows(mode) for mode in MODES} == {"always": "2", "if_empty": "1", "if_ours": "2"}


def test_what_a_person_changed_is_rewritten_kept_or_filled_as_the_field_says(story: Story) -> None:
    story.run(**every("1"))
    for mode in MODES:
        story.crm.human_sets("R", f"f_{mode}", "human")
    plan = story.run(**every("2"))
    assert {mode: story.shows(mode) for mode in MODES} == {"always": "2", "if_empty": "human", "if_ours": "human"}
    assert kept(plan) == [("f_if_ours", "a", "https://crm.example/R")]
    assert "human" not in repr(plan.human_owned)
    for mode in MODES:
        story.crm.human_sets("R", f"f_{mode}", None)
    plan = story.run(**every("2"))
    assert {mode: story.shows(mode) for mode in MODES} == {"always": "2", "if_empty": "2", "if_ours": None}
    assert kept(plan) == [("f_if_ours", "a", "https://crm.example/R")], "emptying it is a change, too"


def test_a_value_that_was_there_before_us_is_a_persons(story: Story) -> None:
    story.crm.records["R"]["f_if_ours"] = "before"
    assert len(kept(story.run(if_ours="1"))) == 1
    assert story.shows("if_ours") == "before"
    assert kept(story.run(if_ours="before")) == [], "we want what is there: nothing to say"


def test_a_person_who_puts_our_value_back_gives_the_field_back(story: Story) -> None:
    story.run(if_ours="1")
    story.crm.human_sets("R", "f_if_ours", "human")
    story.run(if_ours="2")
    story.crm.human_sets("R", "f_if_ours", "1")
    assert kept(story.run(if_ours="2")) == []
    assert story.shows("if_ours") == "2"


def test_a_field_that_people_fill_is_emptied_by_nobody(story: Story) -> None:
    story.crm.records["R"]["f_if_empty"] = "before"
    story.run(if_empty=None)
    assert story.shows("if_empty") == "before"


def test_a_write_without_an_answer_is_still_ours(story: Story) -> None:
    story.crm.script = lambda _operation: "applied_unheard"
    story.run(if_ours="1")
    story.crm.script = lambda _operation: "applied"
    story.crm.human_sets("R", "f_always", "a person looked at the record")
    story.run(if_ours="2")
    assert kept(story.run(if_ours="2")) == []
    assert story.shows("if_ours") == "2"


def test_a_request_that_is_applied_after_newer_values_is_ours_for_a_day_and_then_a_persons(story: Story) -> None:
    story.run(if_ours="0")
    story.crm.script = lambda _operation: "unknown"
    story.run(if_ours="1")
    story.crm.script = lambda _operation: "applied"
    story.run(if_ours="2")
    story.crm.human_sets("R", "f_if_ours", "1")  # it is the late request that does so
    assert kept(story.run(if_ours="3")) == []
    assert story.shows("if_ours") == "3"
    with story.store.begin() as connection:
        connection.execute(update(ledger).values(at=ledger.c.at - 90_000))
    story.crm.human_sets("R", "f_if_ours", "1")
    assert len(kept(story.run(if_ours="4"))) == 1
    assert story.shows("if_ours") == "1"


class Killed(BaseException):
    """The worker is gone, with its request on the way."""


def killed(_operation: object) -> str:
    raise Killed


@pytest.mark.parametrize("given_back", [True, False])
@pytest.mark.parametrize("sent_again", [True, False])
def test_what_a_killed_worker_had_sent_is_ours_however_late_it_is_applied(
    story: Story, given_back: bool, sent_again: bool
) -> None:
    story.run(if_ours="0")
    story.crm.script = killed
    with pytest.raises(Killed):
        story.run(if_ours="1")
    if given_back:
        assert reclaim_leases(story.store, "") == 1
    story.crm.script = lambda _operation: "applied"
    if sent_again:
        story.run(if_ours="1")
    story.run(if_ours="2")
    story.crm.human_sets("R", "f_if_ours", "1")  # it is the late request that does so
    assert kept(story.run(if_ours="3")) == []
    assert story.shows("if_ours") == "3"
    with story.store.begin() as connection:
        sent = select(ledger.c.operation, ledger.c.code).where(ledger.c.status == "unknown")
        ((operation, code),) = connection.execute(sent).all()
    assert (operation["values"]["f_if_ours"], code) == ("1", "LEASE_ENDED")


# ---------------------------------------------------------------------------- any interleaving

VALUES = st.sampled_from([None, "1", "2", "3"])
EDITS = st.lists(st.tuples(st.sampled_from(MODES), st.sampled_from([None, "1", "2", "human"])), max_size=2)
STEPS = st.lists(
    st.tuples(
        EDITS,
        st.fixed_dictionaries(dict.fromkeys(MODES, VALUES)),
        st.sampled_from(["applied", "applied", "applied_unheard", "unknown", "retry", "rejected"]),
    ),
    min_size=1,
    max_size=6,
)


@dataclass
class Witness:
    """What may be overwritten in one field: what we know to have written, and all that never got an answer."""

    heard: bool = False
    ours: set[Scalar] = field(default_factory=set)
    doubtful: set[Scalar] = field(default_factory=set)
    late: set[Scalar] = field(default_factory=set)

    def allows(self, mode: str, before: Scalar, after: Scalar) -> bool:
        if mode == "always" or before == after:
            return True
        if before is None:
            return mode == "if_empty" or not self.heard or None in self.ours | self.late
        return before in (self.ours | self.late if mode == "if_ours" else self.doubtful)

    def tried(self, value: Scalar, answer: str) -> None:
        if answer == "applied":
            self.heard, self.ours, self.doubtful = True, {value}, set()
        elif answer in {"applied_unheard", "unknown"}:
            self.ours.add(value)
            self.doubtful.add(value)
            self.late.add(value)


@settings(
    max_examples=some_of(25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(steps=STEPS)
def test_any_interleaving_of_our_values_and_human_edits_keeps_each_promise(sqlite_store: Engine, steps: Any) -> None:
    with sqlite_store.begin() as connection:
        for table in metadata.sorted_tables:
            connection.execute(delete(table))
    story = Story(sqlite_store)
    witness = {mode: Witness() for mode in MODES}
    edited: set[str] = set()

    def run(wanted: Mapping[str, Scalar], answer: str) -> Plan:
        story.crm.script = lambda _operation: answer
        story.crm.writes.clear()
        plan = story.run(**wanted)
        sent = {change.field: change.new for record in plan.records if not record.parked for change in record.changes}
        for write in story.crm.writes:
            mode = write.field.removeprefix("f_")
            assert mode not in MODES or witness[mode].allows(mode, write.before, write.after), (write, witness[mode])
        for mode in MODES:
            if f"f_{mode}" in sent:
                witness[mode].tried(sent[f"f_{mode}"], answer)
        return plan

    wanted: Mapping[str, Scalar] = {}
    for edits, wanted, answer in steps:
        for mode, value in edits:
            story.crm.human_sets("R", f"f_{mode}", value)
            edited.add(mode)
        run(wanted, answer)

    for _ in range(3):
        with sqlite_store.begin() as connection:
            retry_rows(connection, [row["id"] for row in waiting_rows(connection)])
        plan = run(wanted, "applied")
    assert story.shows("always") == wanted["always"]
    assert story.shows("if_empty") is not None or wanted["if_empty"] is None
    left_alone = [one.field for one in plan.human_owned] == ["f_if_ours"]
    assert left_alone == (story.shows("if_ours") != wanted["if_ours"])
    assert not left_alone or "if_ours" in edited
    assert story.crm.writes == [], "quiet"
