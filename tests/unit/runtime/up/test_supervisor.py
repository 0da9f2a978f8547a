"""Children are started again when they die or hang, less and less often, and a signal ends all of them."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from connectors.clock import stopwatch
from worker.delivery.stop import CancelToken
from worker.runtime.heartbeat import beat
from worker.runtime.up import supervisor
from worker.runtime.up.supervisor import Child, child_command, end, supervise
from worker.runtime.up.wakeup_pipe import WakeupPipe

SLEEPS = "import time; time.sleep(600)"
STUBBORN = (
    "import signal, sys, time; signal.signal(15, signal.SIG_IGN); open(sys.argv[1], 'w').close(); time.sleep(600)"
)
DIES = "import sys; open(sys.argv[1], 'a').write('.')"


def child(name: str, code: str, *words: str, heartbeat: Path | None = None) -> Child:
    return Child(
        name=name,
        command=[sys.executable, "-S", "-c", code, *words],
        environment=dict(os.environ),
        heartbeat=heartbeat,
    )


def supervise_until(
    true: Callable[[], bool], children: list[Child], folder: Path, *, stop_s: float = 60.0
) -> list[dict[str, object]]:
    """Supervise until something is true; answers what was logged. Nothing is left running."""
    stop = CancelToken()

    def watch() -> None:
        deadline = stopwatch() + 60
        while not true() and stopwatch() < deadline:
            stop.wait(0.02)
        stop.cancel()

    watcher = threading.Thread(target=watch)
    with structlog.testing.capture_logs() as said:
        watcher.start()
        supervise(children, folder / "up", stop, stop_s)
        watcher.join()
    assert all(one.process is None or one.process.poll() is not None for one in children)
    return [dict(entry) for entry in said]


def test_a_child_that_dies_is_started_again_after_growing_waits(tmp_path: Path) -> None:
    lives = tmp_path / "lives"
    said = supervise_until(
        lambda: lives.exists() and len(lives.read_text()) == 3, [child("c", DIES, str(lives))], tmp_path
    )
    waits = [entry["again_in_s"] for entry in said if entry["event"] == "child exited"]
    assert waits[:2] == [0.5, 1.0]
    assert (tmp_path / "up").read_text() == f"{os.getpid()}\n", "the supervisor has a heartbeat of its own"


def test_a_child_that_has_lived_for_a_while_is_started_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_STEADY_S", 0.0)
    one = child("c", "pass")
    for _ in range(4):
        one.start()
        one.note_exit()
    assert one.exits == 1


def test_a_child_whose_heartbeat_stands_still_is_killed_and_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "DEAD_AFTER_S", 0.5)
    hung = child("c", SLEEPS, heartbeat=tmp_path / "c")
    said = supervise_until(lambda: hung.exits == 2, [hung], tmp_path)
    assert "child hung and was killed" in {entry["event"] for entry in said}


def test_a_heartbeat_counts_when_it_moves_not_by_what_the_clock_says(tmp_path: Path) -> None:
    one = child("c", SLEEPS, heartbeat=tmp_path / "c")
    beat(tmp_path / "c")
    os.utime(tmp_path / "c", (1, 1))
    one.start()
    assert not one.has_hung()
    end([one])


def test_a_disk_that_takes_no_heartbeat_ends_no_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "BEAT_EVERY_S", 0.0)
    (folder := tmp_path / "full").touch()
    one = child("c", SLEEPS)
    looks = 0

    def beats_again() -> bool:
        nonlocal looks
        looks += one.process is not None
        if looks == 20:
            folder.unlink()
        return (folder / "up").exists()

    said = supervise_until(beats_again, [one], folder)
    assert (folder / "up").read_text() == f"{os.getpid()}\n"
    events = [entry["event"] for entry in said]
    assert [events.count(event) for event in ("heartbeat failed", "child started", "child exited")] == [1, 1, 0]


def test_a_child_that_will_not_end_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    said = supervise_until(ready.exists, [child("c", STUBBORN, str(ready))], tmp_path, stop_s=0.3)
    assert [entry["killed"] for entry in said if entry["event"] == "stopped"] == [["c"], []]


def test_who_serves_ends_after_who_works(tmp_path: Path) -> None:
    works, serves = child("works", SLEEPS), child("serves", SLEEPS)
    serves.ends_last = True
    said = supervise_until(lambda: works.process is not None and serves.process is not None, [serves, works], tmp_path)
    assert [entry["children"] for entry in said if entry["event"] == "stopped"] == [["works"], ["serves"]]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the end of standard input tells")
def test_even_a_stopped_child_is_gone_with_its_parent(tmp_path: Path) -> None:
    number = tmp_path / "pid"
    inner = (
        "import os, sys, time; from worker.runtime.up.parent import die_with_parent; "
        "die_with_parent(int(sys.argv[-1])); "
        f"open({str(number)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    )
    outer = (
        "import os, signal, sys, time; from pathlib import Path; from worker.runtime.up.supervisor import Child; "
        f"command = [sys.executable, '-c', {inner!r}, str(os.getpid())]; "
        "c = Child(name='c', command=command, environment=dict(os.environ)); c.start()\n"
        f"while not Path({str(number)!r}).exists() or not Path({str(number)!r}).read_text(): time.sleep(0.05)\n"
        "os.kill(c.process.pid, signal.SIGSTOP); os.kill(os.getpid(), signal.SIGKILL)"
    )
    parent = Child(name="p", command=[sys.executable, "-c", outer], environment=dict(os.environ))
    parent.start()
    assert parent.process
    with parent.process as process:
        assert process.wait(60) == -signal.SIGKILL
    status = Path(f"/proc/{number.read_text()}/status")
    deadline = stopwatch() + 30
    while status.exists() and "(zombie)" not in status.read_text():
        assert stopwatch() < deadline
        CancelToken().wait(0.05)


def test_a_child_knows_who_started_it() -> None:
    assert child_command("m", "a")[1:] == ["-m", "m", "a", "--parent", str(os.getpid())]


def test_a_bell_is_heard_by_who_comes_later_and_never_blocks_who_rings() -> None:
    wakeup, stop = WakeupPipe.open(), CancelToken()
    for _ in range(100_000):
        wakeup.notify()
    assert wakeup.wait(0.0, stop) is False, "no time to listen"
    while wakeup.wait(5.0, stop):
        if not wakeup.wait(0.01, stop):
            break
    wakeup.notify()
    assert wakeup.wait(5.0, stop)
    assert not wakeup.wait(0.01, stop)
    stop.cancel()
    assert not wakeup.wait(600.0, stop)
