"""The processes that do the work, which can be killed, frozen and started again: workers, scheduler, producers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests import forked
from tests.chaos.ground import Ground
from tests.chaos.producer import ENOUGH_FILE
from tests.chaos.wanted import Verdict, judge, unsettled

POLL_S = 0.1
PATIENCE_S = 240.0
_CELERY = [sys.executable, "-m", "celery", "-A"]


@dataclass
class Member:
    """One process tree: how it is started, and the process that runs now; ``ends`` when its work is done.

    It is ``forked`` from a process that has imported the product, or starts with nothing imported.
    """

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    ends: bool = False
    forked: bool = True
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, in a process group of its own."""
        with self.log.open("ab") as log:
            start: type[subprocess.Popen[bytes]] = forked.Popen if self.forked else subprocess.Popen
            self.process = start(self.command, env=self.environment, stdout=log, stderr=log, start_new_session=True)

    @property
    def done(self) -> bool:
        return self.ends and self.process is not None and self.process.poll() == 0

    def keep_running(self) -> None:
        """What a supervisor does: start it again when it died."""
        if self.process is None or (self.process.poll() is not None and not self.done):
            self.start()

    def children(self) -> list[int]:
        """The worker processes below the main one."""
        if self.process is None:
            return []
        with suppress(OSError):
            text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
            return [int(word) for word in text.split()]
        return []

    def send(self, number: signal.Signals) -> None:
        """Signal the whole tree."""
        if self.process:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """kill -9 the whole tree."""
        self.send(signal.SIGKILL)
        if self.process:
            self.process.wait()

    def stop(self) -> None:
        """What a deploy does: ask it to end, and wait until it has."""
        if self.process:
            self.process.terminate()
            self.process.wait(60)


@dataclass
class Crew:
    """Everybody at work on one ground."""

    ground: Ground
    folder: Path
    broker: str = ""
    members: dict[str, Member] = field(default_factory=dict)

    def add(
        self, name: str, command: list[str], *, ends: bool = False, forked: bool = True, **environment: str
    ) -> Member:
        """Start another member."""
        broker = {"PLGSYNC_BROKER_URL": self.broker} if self.broker else {}
        surroundings = {**self.ground.environment, **broker, **environment}
        member = Member(name, command, surroundings, self.folder / f"{name}.log", ends, forked)
        self.members[name] = member
        member.start()
        return member

    def add_worker(
        self, name: str, app: str = "worker.app", *, children: int = 2, forked: bool = True, **environment: str
    ) -> Member:
        """A Celery worker with its children."""
        options = ["--without-mingle", "--without-gossip", "--concurrency", str(children)]
        queues = ["--queues", "compute,deliver,default", "--hostname", f"{name}@localhost"]
        return self.add(name, [*_CELERY, app, "worker", *options, *queues], ends=False, forked=forked, **environment)

    def add_scheduler(self) -> Member:
        """Celery beat, which only starts deliveries."""
        place = str(self.folder / "beat")
        return self.add("scheduler", [*_CELERY, "tests.chaos.bell", "beat", "-s", place, "--pidfile", ""])

    def add_inline(self, name: str, module: str = "tests.chaos.inline") -> Member:
        """A process that delivers again and again, without any server."""
        return self.add(name, [sys.executable, "-m", module])

    def add_producers(self, seed: str, count: int = 2) -> None:
        """So many producers, which queue round after round until it is `enough`."""
        for number in range(count):
            name = f"producer{number}"
            self.add(name, [sys.executable, "-m", "tests.chaos.producer", name, seed], ends=True)

    def enough(self) -> None:
        """Nothing more is queued than the round that every producer is at."""
        (self.ground.folder / ENOUGH_FILE).touch()

    def keep_running(self) -> None:
        for member in self.members.values():
            member.keep_running()

    @property
    def produced(self) -> bool:
        return all(member.done for member in self.members.values() if member.ends)

    def until(self, true: Callable[[], object], what: str) -> float:
        """Look again and again, dead members being started again; answers the seconds it took."""
        began = time.monotonic()
        while not true():
            assert time.monotonic() - began < PATIENCE_S, f"{what}: {unsettled(self.ground.engine)}{self._words()}"
            self.keep_running()
            time.sleep(POLL_S)
        return time.monotonic() - began

    def until_written(self, more: int = 1) -> float:
        """Until the CRMs have had so many more write calls; answers the seconds it took."""
        had = self.ground.all_writes()
        return self.until(lambda: self.ground.all_writes() >= had + more, "nothing is written")

    def until_quiet(
        self, but_for: Callable[[str], bool] = lambda _: False, meanwhile: Callable[[], None] = lambda: None
    ) -> float:
        """Until everything is queued and every row is done, but for the states (and reasons) that may stay."""
        self.enough()

        def quiet() -> bool:
            meanwhile()
            return self.produced and all(but_for(state) for state in unsettled(self.ground.engine))

        return self.until(quiet, "not quiet")

    def verdict(self, spared: tuple[str, ...] = ()) -> Verdict:
        """Whether the CRMs hold what was wanted."""
        return judge(self.ground.engine, self.ground.contents(), spared)

    def kill_one(self, chance: Random) -> str:
        """kill -9 a child, a worker's main process, the scheduler, a producer or everything; answers which."""
        workers = [m for m in self.members.values() if m.name.startswith(("worker", "inline"))]
        victim = chance.choices(["child", "worker", "tree", "scheduler", "producer", "all"], [10, 4, 4, 2, 3, 1])[0]
        children = [pid for member in workers for pid in member.children()]
        if victim == "child" and children:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(children), signal.SIGKILL)
        elif victim == "all":
            self.end()
        elif victim in {"scheduler", "producer"} and (named := [m for n, m in self.members.items() if victim in n]):
            chance.choice(named).kill()
        elif victim == "tree":
            chance.choice(workers).kill()
        else:
            victim = "worker"
            _kill_main(chance.choice(workers))
        return victim

    def _words(self) -> str:
        return "".join(f"\n--- {m.name}\n{m.log.read_text(errors='replace')[-1500:]}" for m in self.members.values())

    def end(self) -> None:
        """Nobody is left."""
        for member in self.members.values():
            member.kill()


def _kill_main(member: Member) -> None:
    """Only the main process; what becomes of its children is their affair."""
    if member.process and member.process.poll() is None:
        member.process.kill()
        member.process.wait()


@contextmanager
def open_crew(ground: Ground, folder: Path, broker: str = "") -> Iterator[Crew]:
    """Nobody at first; at the end everybody who is left is killed."""
    crew = Crew(ground, folder, broker)
    try:
        yield crew
    finally:
        crew.end()
