"""How long tasks wait after a request without an answer, when several processes share one journal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from connectors.base import Outcome, Unavailable
from connectors.hubspot.task_keys import GIVEN_UP_AFTER_S, LostAnswerCooldown
from tests.contract.connectors.paper_journal import PaperJournal
from tests.unit.connectors.hubspot.scripted import Clock

Answers = dict[str, Outcome]
ANSWERED: Answers = {"k": Outcome(key="k", status="applied", record_id="7")}
LOST: Answers = {"k": Outcome(key="k", status="unknown")}


@dataclass
class Room:
    """A journal and a clock that several processes share."""

    folder: Path
    clock: Clock = field(default_factory=Clock)

    def process(self) -> LostAnswerCooldown:
        return LostAnswerCooldown(PaperJournal(self.folder), self.clock)

    def later(self, seconds: float, answers: Answers) -> Answers:
        self.clock.sleep(seconds)
        return answers


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def during(first: Callable[[], object], then: Callable[[], Answers]) -> Callable[[], Answers]:
    """HubSpot answers with ``then`` after ``first`` has happened."""
    return lambda: (first(), then())[1]


def test_an_answer_to_another_process_does_not_end_our_cooldown(room: Room) -> None:
    ours, theirs = room.process(), room.process()
    ours.send(during(lambda: theirs.send(lambda: ANSWERED), lambda: room.later(30, LOST)))
    for process in (ours, theirs, room.process()):
        assert process.remaining_s() == GIVEN_UP_AFTER_S - 30


def test_a_cooldown_survives_a_kill(room: Room) -> None:
    ours, theirs = room.process(), room.process()
    with pytest.raises(KeyboardInterrupt):
        ours.send(during(lambda: theirs.send(lambda: ANSWERED), _killed))
    room.clock.sleep(30)
    assert room.process().remaining_s() == GIVEN_UP_AFTER_S - 30


@pytest.mark.parametrize("failed", [False, True])
def test_our_answer_does_not_end_their_cooldown(room: Room, failed: bool) -> None:
    ours, theirs = room.process(), room.process()
    asked = during(lambda: theirs.send(lambda: room.later(30, LOST)), _unavailable if failed else lambda: ANSWERED)
    if failed:
        with pytest.raises(Unavailable):
            ours.send(asked)
    else:
        ours.send(asked)
    assert room.process().remaining_s() == GIVEN_UP_AFTER_S - 30


@pytest.mark.parametrize("journal", [True, False])
def test_an_answer_to_one_thread_does_not_end_the_cooldown_of_another(room: Room, journal: bool) -> None:
    ours = room.process() if journal else LostAnswerCooldown(None, room.clock)
    ours.send(lambda: LOST)
    ours.send(lambda: room.later(10, ANSWERED))
    assert ours.remaining_s() == GIVEN_UP_AFTER_S - 10


def test_two_answers_end_the_cooldown(room: Room) -> None:
    ours, theirs = room.process(), room.process()
    ours.send(during(lambda: theirs.send(lambda: ANSWERED), lambda: ANSWERED))
    assert room.process().remaining_s() == ours.remaining_s() == 0
    assert PaperJournal(room.folder).names() == []


def test_a_mark_of_an_earlier_version_counts(room: Room) -> None:
    PaperJournal(room.folder).write("hubspot.tasks.asked_at", str(room.clock.now))
    room.clock.sleep(40)
    assert room.process().remaining_s() == GIVEN_UP_AFTER_S - 40


def _killed() -> Answers:
    raise KeyboardInterrupt


def _unavailable() -> Answers:
    raise Unavailable("down", 30)
