"""A process that is well has a heartbeat, also after its disk took none for a while."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from connectors.clock import stopwatch
from worker.delivery.stop import CancelToken
from worker.runtime import heartbeat
from worker.runtime.heartbeat import beat_while


class Process:
    """Well until the test is over; counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.over = False

    def is_well(self) -> bool:
        self.asked += 1
        return not self.over


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    monkeypatch.setattr(heartbeat, "BEAT_EVERY_S", 0.01)
    made = Process()
    yield made
    made.over = True


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = stopwatch() + 60
    while not holds():
        assert stopwatch() < deadline, "the heartbeat's thread has ended"
        CancelToken().wait(0.01)


def test_a_heartbeat_goes_on_after_its_disk_took_none(tmp_path: Path, process: Process) -> None:
    file = tmp_path / "full" / "beat"
    file.parent.touch()
    with structlog.testing.capture_logs() as said:
        beat_while(file, process.is_well)
        wait_until(lambda: process.asked >= 4)
        file.parent.unlink()
        wait_until(lambda: file.is_file() and file.read_text() == f"{os.getpid()}\n")
    assert [entry["event"] for entry in said] == ["heartbeat failed"], "it is said once"
