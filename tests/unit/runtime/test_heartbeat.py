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
from worker.runtime.heartbeat import beat, beat_while


def test_a_heartbeat_is_its_owners_and_takes_the_place_of_a_link(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    file = tmp_path / "new" / "beat"
    beat(file)
    assert (file.parent.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
    file.unlink()
    file.symlink_to(tmp_path / "precious")
    beat(file)
    assert (tmp_path / "precious").read_text() == "kept"
    assert file.read_text() == f"{os.getpid()}\n"
    assert not file.is_symlink()


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
