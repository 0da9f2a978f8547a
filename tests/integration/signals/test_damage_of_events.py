"""Events of a clean company stop, are misspelled or lose properties: what reads them is unknown, or as it was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.signals.damage_kit import ACCOUNTS, AS_OF, EVENTS, Damage, company
from tests.integration.signals.damage_spellings import BROKEN_JSON, PROPS, SAME_JSON, damages
from tests.integration.signals.damage_trial import OF_PROPS, SIGNALS, Trial, examples, signals_of_tables, trial_in
from tests.integration.signals.signals_kit import Database

SOME = st.sets(st.sampled_from(ACCOUNTS), min_size=2, max_size=9)


@pytest.fixture(scope="module")
def events_trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """The company without the tables that no event has to do with."""
    names = ("accounts", "events", "users", "memberships")
    return trial_in(Database("duckdb", tmp_path_factory.mktemp("events")), signals_of_tables(names), names)


@examples(2)
@given(event=st.sampled_from(EVENTS), days=st.integers(9, 16), to=st.sampled_from([None, "report_created", "Other"]))
def test_an_event_that_stops_for_all_leaves_its_signals_unknown(
    events_trial: Trial, event: str, days: int, to: str | None
) -> None:
    data = company()
    since = AS_OF.replace(hour=0) - timedelta(days=days)
    late = [row for row in data["events"] if row["name"] == event and row["occurred_at"] >= since]
    for row in late:
        row["name"] = to or "Quite Other"
    found = events_trial.measured(data)
    assert list(found.report.stopped) == [event]
    lists = {name for name, events in SIGNALS.event_lists.items() if event in events}
    affected = {name for name, signal in events_trial.signals.signals.items() if signal.events in lists}
    affected |= {
        name for name, signal in events_trial.signals.signals.items() if signal.of and affected & names_in(signal.of)
    }
    assert affected
    assert {row[name] for row in found.accounts.values() for name in affected} == {None}
    events_trial.hold(found.accounts, dict.fromkeys(ACCOUNTS, affected))


def names_in(expression: Any) -> set[str]:
    return {part.name for part in expression.needs()}


@examples(2)
@given(
    event=st.sampled_from(EVENTS),
    accounts=SOME,
    to=st.sampled_from([str.upper, str.lower, lambda name: name.replace(" ", "_")]),
)
def test_spellings_of_the_same_event_count_as_that_event(
    events_trial: Trial, event: str, accounts: set[str], to: Callable[[str], str]
) -> None:
    data = company()
    Damage(
        table="events",
        column="name",
        spell=lambda name: to(name) if name == event else name,
        accounts=frozenset(accounts),
    ).inflict(data)
    signals = events_trial.signals.model_copy(update={"same_event": {event: [to(event)]}})
    events_trial.hold(events_trial.measured(data, signals=signals).accounts)


@examples(3)
@given(found=st.one_of(damages("unreadable", PROPS, BROKEN_JSON), damages(None, PROPS, SAME_JSON)))
def test_properties_that_are_no_json_leave_only_unknown_what_reads_them(
    events_trial: Trial, found: list[Damage]
) -> None:
    after = events_trial.judge(found).accounts
    events_trial.hold(after, dict.fromkeys(ACCOUNTS, tuple(OF_PROPS)))
