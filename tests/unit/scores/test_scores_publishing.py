"""A small move of a score is not written to the CRMs, but playbooks decide on it."""

from __future__ import annotations

from typing import Any

from tests.unit.scores.scores_kit import HEALTH, PQL, day, events, mature, settings
from worker.language.values import Fields, Value
from worker.scores import ScoreMemory, score_account
from worker.scores.result import Note

SETTINGS = settings(HEALTH | {"publish_step": 3, "smoothing": "1d"}, pql=PQL | {"publish_step": 3})
SHOWN = ("health.score", "health.change_28d", "health.reasons", "pql.score", "pql.reasons")


def shown(*accounts: Fields, then: Fields | None = None) -> list[dict[str, Value]]:
    """What is written of each account in turn, day by day."""
    memory, written = ScoreMemory(), []
    for on, now in enumerate(accounts):
        scored = score_account(SETTINGS, now, then, memory, day(on))
        memory = scored.memory
        written.append(dict(scored.written_fields(scored.fields())))
    return written


def lead(seats: float, **changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"plan": "free", "account.employees": 100, "account.age_days": 90, "seats_used": seats}
    return fields | {"days_since(Contact Sales Clicked)": None} | events("Pricing Viewed", 0) | changes


def test_small_move_is_not_published_and_its_reasons_are_neither() -> None:
    first, second = shown(mature(seats_used=72), mature(seats_used=74), then=mature())
    assert {name: first[name] for name in SHOWN} == {name: second[name] for name in SHOWN}


def test_small_moves_add_up_until_they_count() -> None:
    scores = [fields["health.score"] for fields in shown(*(mature(seats_used=seats) for seats in (72, 74, 76, 78)))]
    assert scores == [55, 55, 59, 59]


def test_a_past_that_moved_is_published_too() -> None:
    once = score_account(SETTINGS, mature(), mature(), ScoreMemory(), day(0))
    again = score_account(SETTINGS, mature(), mature(seats_used=60), once.memory, day(1))
    changes = [scored.written_fields(scored.fields())["health.change_28d"] for scored in (once, again)]
    assert changes == [0, 10]


def test_what_is_held_back_in_the_crm_is_live_for_playbooks() -> None:
    first = score_account(SETTINGS, mature(seats_used=72), mature(seats_used=78), ScoreMemory(), day(0))
    moved = score_account(SETTINGS, mature(seats_used=70), mature(seats_used=78), first.memory, day(1))
    live, written = moved.fields(), moved.written_fields(moved.fields())
    assert (live["health.score"], written["health.score"]) == (54, 55)
    assert (live["health.change_28d"], written["health.change_28d"]) == (-7, -5)
    assert live["health.reasons"] != written["health.reasons"]
    assert live["health.band"] == written["health.band"]


def test_a_pql_score_is_live_for_playbooks_and_explained() -> None:
    first = score_account(SETTINGS, lead(80), None, ScoreMemory(), day(0))
    moved = score_account(SETTINGS, lead(78), None, first.memory, day(1))
    written = moved.written_fields(moved.fields())
    assert (moved.fields()["pql.score"], written["pql.score"]) == (71, 72)
    assert Note("the CRMs keep 72: the score has moved by less than publish_step") in list(moved["pql"].explained())


def test_change_of_band_is_published_at_once() -> None:
    edge = [mature(seats_used=seats, key_events_28d=85) for seats in (72, 71, 71)]
    steady, _, moved = shown(*edge)
    assert (steady["health.score"], steady["health.band"]) == (73, "green")
    assert moved["health.band"] == "green"
    first, _, after = shown(*(mature(seats_used=seats, key_events_28d=81) for seats in (72, 70.5, 70.5)))
    assert (first["health.band"], after["health.band"]) == ("green", "yellow")
    assert (first["health.score"], after["health.score"]) == (70, 68)


def test_new_unknown_is_published_at_once() -> None:
    first, second = shown(mature(), mature(urgent_tickets_open=None))
    assert "Unknown: NPS, Support" in str(second["health.reasons"])
    assert first["health.reasons"] != second["health.reasons"]


def test_pql_shows_the_same_until_it_moves_or_its_label_does() -> None:
    scores = [fields["pql.score"] for fields in shown(lead(80), lead(78), lead(76), lead(75))]
    assert scores == [72, 72, 72, 69]


def test_an_earlier_moment_shows_what_was_true_then() -> None:
    memory = score_account(SETTINGS, mature(seats_used=72), None, ScoreMemory(), day(9)).memory
    assert score_account(SETTINGS, mature(seats_used=74), None, memory, day(2))["health"].score == 57
