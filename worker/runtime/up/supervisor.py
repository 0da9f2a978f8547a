"""Supervises child processes: starts them, restarts those that exit or hang, and stops them together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from connectors.clock import stopwatch
from worker.delivery.stop import CancelToken
from worker.runtime.heartbeat import BEAT_EVERY_S, DEAD_AFTER_S, Heartbeat
from worker.settings.environment import DEFAULT_STOP_S

log = structlog.get_logger()

_POLL_S = 0.2
_SERVER_GRACE_S = 1.5
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 60.0
_STEADY_S = 60.0
"""After so long in service a child has recovered: its next exit counts as the first."""


@dataclass(slots=True, kw_only=True)
class Child:
    """One process to keep running. ``heartbeat`` is the file that it touches, or None when it touches none."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    heartbeat: Path | None = None
    keeps_open: Sequence[int] = ()
    ends_last: bool = False
    process: subprocess.Popen[bytes] | None = None
    exits: int = 0
    started: float = 0.0
    start_at: float = 0.0
    last_beat: tuple[float, float] = field(default=(0.0, 0.0))
    """The time of the last heartbeat by its file, and when we saw it, by the monotonic clock."""

    def start(self) -> None:
        """Start the process."""
        self.process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            self.command,
            stdin=subprocess.PIPE,  # never written to; the child sees its end when this process exits
            stdout=subprocess.DEVNULL,
            env=self.environment,
            pass_fds=self.keeps_open,
        )
        self.started = stopwatch()
        self.last_beat = (0.0, self.started)

    def has_hung(self) -> bool:
        """Whether its heartbeat stands still. A clock that jumps has no effect."""
        if self.heartbeat is None:
            return False
        try:
            last_beat = self.heartbeat.stat().st_mtime
        except OSError:
            last_beat = 0.0
        if last_beat != self.last_beat[0]:
            self.last_beat = (last_beat, stopwatch())
        return stopwatch() - self.last_beat[1] > DEAD_AFTER_S

    def note_exit(self) -> None:
        """Note that the process exited, and when it may start again."""
        code = 0
        if self.process is not None:
            with self.process as process:  # closes the pipe to it
                code = process.wait()
        self.process = None
        lived = stopwatch() - self.started
        self.exits = 1 if lived > _STEADY_S else self.exits + 1
        wait = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** (self.exits - 1))
        self.start_at = stopwatch() + wait
        log.warning("child exited", child=self.name, code=code, lived_s=round(lived, 1), again_in_s=wait)


def child_command(module: str, *arguments: str) -> list[str]:
    """The command by which this Python runs a module that knows its parent."""
    return [sys.executable, "-m", module, *arguments, "--parent", str(os.getpid())]


def supervise(children: Sequence[Child], heartbeat: Path, stop: CancelToken, stop_s: float = DEFAULT_STOP_S) -> None:
    """Keep every child running until SIGTERM or SIGINT; then stop them, the workers within ``stop_s`` seconds."""
    before = {number: signal.signal(number, _cancels(stop)) for number in (signal.SIGTERM, signal.SIGINT)}
    ours, last_beat = Heartbeat(heartbeat), float("-inf")
    try:
        while not stop.cancelled:
            for child in children:
                _supervise_one(child)
            if stopwatch() - last_beat > BEAT_EVERY_S:
                ours.beat()
                last_beat = stopwatch()
            stop.wait(_POLL_S)
    finally:
        end(children, stop_s)
        for number, handler in before.items():
            signal.signal(number, handler)


def _cancels(stop: CancelToken) -> Any:
    return lambda *_: stop.cancel()


def _supervise_one(child: Child) -> None:
    if child.process is None:
        if stopwatch() >= child.start_at:
            child.start()
            log.info("child started", child=child.name, pid=child.process.pid if child.process else 0)
    elif child.process.poll() is not None:
        child.note_exit()
    elif child.has_hung():
        log.error("child hung and was killed", child=child.name)
        child.process.kill()
        child.note_exit()


def end(children: Sequence[Child], stop_s: float = DEFAULT_STOP_S) -> None:
    """Stop the children: first the workers, then those that serve them."""
    for last, grace_s in ((False, stop_s), (True, _SERVER_GRACE_S)):
        stopping = [child for child in children if child.process is not None and child.ends_last is last]
        for child in stopping:
            if child.process is not None:
                child.process.terminate()
        log.info("stopping", children=[child.name for child in stopping])
        until = stopwatch() + grace_s
        killed = [child.name for child in stopping if not _stopped(child, until)]
        log.info("stopped", children=[child.name for child in stopping], killed=killed)


def _stopped(child: Child, until: float) -> bool:
    """Wait for a child that got SIGTERM, and kill it after ``until``; its leases end and others take its work."""
    if child.process is None:
        return True
    with child.process as process:  # closes the pipe to it, after it has exited
        try:
            process.wait(max(0.0, until - stopwatch()))
        except subprocess.TimeoutExpired:
            process.kill()
            return False
    return True
