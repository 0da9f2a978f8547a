"""Tasks that were asked for and not answered: how long to wait, when several processes share one journal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from connectors.base import Outcome, Unavailable
from connectors.hubspot.task_keys import GIVEN_UP_AFTER_S, Settling
from tests.contract.connectors.paper_journal import PaperJournal
from tests.unit.connectors.hubspot.scripted import Clock

Answers = dict[str, Outcome]
ANSWERED: Answers = {"k": Outcome("k", "applied", "7")}
LOST: Answers = {"k": Outcome("k", "unknown")}


@dataclass
class Room:
    """A journal and a clock that several processes look at."""

    folder: Path
    clock: Clock = field(default_factory=Clock)

    def process(self) -> Settling:
        return Settling(PaperJournal(self.folder), self.clock)

    def later(self, seconds: float, answers: Answers) -> Answers:
        self.clock.sleep(seconds)
        return answers


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def during(first: Callable[[], object], then: Callable[[], Answers]) -> Callable[[], Answers]:
    """HubSpot answers with ``then`` after ``first`` has happened."""
    return lambda: (first(), then())[1]


def test_an_answer_to_another_process_does_not_end_our_waiting(room: Room):
    ours, theirs = room.process(), room.process()
    ours.ask(during(lambda: theirs.ask(lambda: ANSWERED), lambda: room.later(30, LOST)))
    for process in (ours, theirs, room.process()):
        assert process.left() == GIVEN_UP_AFTER_S - 30


def test_nor_when_we_are_killed_while_we_wait(room: Room):
    ours, theirs = room.process(), room.process()
    with pytest.raises(KeyboardInterrupt):
        ours.ask(during(lambda: theirs.ask(lambda: ANSWERED), _killed))
    room.clock.sleep(30)
    assert room.process().left() == GIVEN_UP_AFTER_S - 30


@pytest.mark.parametrize("failed", [False, True])
def test_nor_does_our_answer_end_theirs(room: Room, failed: bool):
    ours, theirs = room.process(), room.process()
    asked = during(lambda: theirs.ask(lambda: room.later(30, LOST)), _refused if failed else lambda: ANSWERED)
    if failed:
        with pytest.raises(Unavailable):
            ours.ask(asked)
    else:
        ours.ask(asked)
    assert room.process().left() == GIVEN_UP_AFTER_S - 30


@pytest.mark.parametrize("journal", [True, False])
def test_an_answer_to_one_thread_does_not_end_the_waiting_of_another(room: Room, journal: bool):
    ours = room.process() if journal else Settling(None, room.clock)
    ours.ask(lambda: LOST)
    ours.ask(lambda: room.later(10, ANSWERED))
    assert ours.left() == GIVEN_UP_AFTER_S - 10


def test_when_both_have_their_answers_nobody_waits(room: Room):
    ours, theirs = room.process(), room.process()
    ours.ask(during(lambda: theirs.ask(lambda: ANSWERED), lambda: ANSWERED))
    assert room.process().left() == ours.left() == 0
    assert PaperJournal(room.folder).names() == []


def test_what_an_earlier_version_noted_is_waited_for(room: Room):
    PaperJournal(room.folder).write("hubspot.tasks.asked_at", str(room.clock.now))
    room.clock.sleep(40)
    assert room.process().left() == GIVEN_UP_AFTER_S - 40


def _killed() -> Answers:
    raise KeyboardInterrupt


def _refused() -> Answers:
    raise Unavailable("down", 30)
