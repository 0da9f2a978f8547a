"""Keeps child processes running: starts them, starts them again when they die or hang, and ends them together."""

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

_LOOK_EVERY_S = 0.2
_LAST_GRACE_S = 1.5
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 60.0
_STEADY_S = 60.0
"""A child that lived so long has recovered: the next death is a first one."""


@dataclass(slots=True)
class Child:
    """One process to keep running. ``heartbeat`` is the file it touches, or None for one that touches none."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    heartbeat: Path | None = None
    keeps_open: Sequence[int] = ()
    ends_last: bool = False
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    started: float = 0.0
    start_at: float = 0.0
    beaten: tuple[float, float] = field(default=(0.0, 0.0))
    """The last heartbeat's own time, and when we saw it on a clock that nobody can set."""

    def start(self) -> None:
        """Start the process anew."""
        self.process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            self.command,
            stdin=subprocess.PIPE,  # never written to: its end tells the child that we are gone
            stdout=subprocess.DEVNULL,
            env=self.environment,
            pass_fds=self.keeps_open,
        )
        self.started = stopwatch()
        self.beaten = (0.0, self.started)

    def has_hung(self) -> bool:
        """Whether its heartbeat stands still; a clock that jumps does not matter."""
        if self.heartbeat is None:
            return False
        try:
            beaten = self.heartbeat.stat().st_mtime
        except OSError:
            beaten = 0.0
        if beaten != self.beaten[0]:
            self.beaten = (beaten, stopwatch())
        return stopwatch() - self.beaten[1] > DEAD_AFTER_S

    def bury(self) -> None:
        """Note that it died, and when it may start again."""
        code = self.process.wait() if self.process else 0
        self.process = None
        lived = stopwatch() - self.started
        self.deaths = 1 if lived > _STEADY_S else self.deaths + 1
        wait = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** (self.deaths - 1))
        self.start_at = stopwatch() + wait
        log.warning("child died", child=self.name, code=code, lived_s=round(lived, 1), again_in_s=wait)


def child_command(module: str, *arguments: str) -> list[str]:
    """How this Python runs a module that knows its parent."""
    return [sys.executable, "-m", module, *arguments, "--parent", str(os.getpid())]


def supervise(children: Sequence[Child], heartbeat: Path, stop: CancelToken, stop_s: float = DEFAULT_STOP_S) -> None:
    """Keep every child running until SIGTERM or SIGINT, then end them all; who works has ``stop_s`` seconds for it."""
    before = {number: signal.signal(number, _asks(stop)) for number in (signal.SIGTERM, signal.SIGINT)}
    ours, beaten = Heartbeat(heartbeat), float("-inf")
    try:
        while not stop.cancelled:
            for child in children:
                _look_after(child)
            if stopwatch() - beaten > BEAT_EVERY_S:
                ours.beat()
                beaten = stopwatch()
            stop.wait(_LOOK_EVERY_S)
    finally:
        end(children, stop_s)
        for number, handler in before.items():
            signal.signal(number, handler)


def _asks(stop: CancelToken) -> Any:
    return lambda *_: stop.cancel()


def _look_after(child: Child) -> None:
    if child.process is None:
        if stopwatch() >= child.start_at:
            child.start()
            log.info("child started", child=child.name, pid=child.process.pid if child.process else 0)
    elif child.process.poll() is not None:
        child.bury()
    elif child.has_hung():
        log.error("child hangs, killed", child=child.name)
        child.process.kill()
        child.bury()


def end(children: Sequence[Child], stop_s: float = DEFAULT_STOP_S) -> None:
    """End them: first who works, then who serves."""
    for last, grace_s in ((False, stop_s), (True, _LAST_GRACE_S)):
        ending = [child for child in children if child.process is not None and child.ends_last is last]
        for child in ending:
            if child.process is not None:
                child.process.terminate()
        log.info("told to end", children=[child.name for child in ending])
        until = stopwatch() + grace_s
        killed = [child.name for child in ending if not _ended(child, until)]
        log.info("ended", children=[child.name for child in ending], killed=killed)


def _ended(child: Child, until: float) -> bool:
    """Waits for a child that was told to end, and kills it when its time is up; what it held is due again."""
    if child.process is None:
        return True
    try:
        child.process.wait(max(0.0, until - stopwatch()))
    except subprocess.TimeoutExpired:
        child.process.kill()
        child.process.wait()
        return False
    return True
