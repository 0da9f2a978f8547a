"""``plgsync up``: whatever is killed, everything arrives once, and nothing lives on that should not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, select

from connectors.clock import now
from tests import forked
from tests.integration.conftest import PLGSYNC, Stage
from worker.demo.life import LAST_DAY
from worker.demo.stage import SEED_FILE, build_stage, sandboxes
from worker.store.tables import metadata, outbox, schedule_slots

pytestmark = pytest.mark.timeout(500)

_PATIENCE_S = 240.0
_POLL_S = 0.05
NOTHING_BUT_THE_RUN = """\
version: 1
schedules:
  daily: {job: run, cron: "0 5 * * *"}
  send: {job: deliver, cron: "0 4 1 * *"}
"""


FORKING = [sys.executable, "-c", "from tests.integration.measured import main; main(forking=True)"]
"""``plgsync``, whose children are forked and take what others have measured."""


@dataclass
class Tree:
    """A running ``plgsync up``, and what can be seen of it from outside."""

    process: subprocess.Popen[bytes]
    folder: Path
    log: Path

    def pid(self, role: str) -> int:
        """The process that now has a role; 0 while there is none."""
        try:
            return int((self.folder / ".plgsync" / "heartbeats" / role).read_text())
        except (OSError, ValueError):
            return 0

    def said(self, event: str) -> list[dict[str, object]]:
        """What was logged under a name."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def count(self, table: str, *where: object) -> int:
        """Rows of the state database as it is now; 0 before it is there."""
        path = self.folder / ".plgsync" / "state.db"
        if not path.exists():
            return 0
        engine = create_engine(f"sqlite:///file:{path}?mode=ro&uri=true")
        with engine.connect() as connection:
            found = connection.execute(select(func.count()).select_from(metadata.tables[table]).where(*where))  # type: ignore[arg-type]
            count = int(found.scalar_one())
        engine.dispose()
        return count

    def delivered(self) -> bool:
        """Whether a run was made and everything it wants is in the CRMs."""
        return self.count("runs") > 0 and self.count("outbox", outbox.c.state.in_(["pending", "leased"])) == 0

    def until(self, true: Callable[[], object]) -> None:
        """Look again and again, for minutes at most."""
        deadline = time.monotonic() + _PATIENCE_S
        while not true():
            assert time.monotonic() < deadline, self.log.read_text(errors="replace")[-4000:]
            assert self.process.poll() is None, self.log.read_text(errors="replace")[-4000:]
            time.sleep(_POLL_S)


@contextmanager
def up(
    folder: Path,
    *options: str,
    environment: Mapping[str, str] | None = None,
    start: type[subprocess.Popen[bytes]] = forked.Popen,
) -> Iterator[Tree]:
    """A tree in a process group of its own, all of which is gone afterwards."""
    log = folder.parent / f"up-{time.monotonic_ns()}.log"
    with log.open("wb") as stderr:
        process = start(
            [*(PLGSYNC if start is subprocess.Popen else FORKING), "up", "--project", str(folder), *options],
            stderr=stderr,
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
        try:
            yield Tree(process, folder, log)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def slow_stage(live_stage: Stage) -> Stage:
    """A stage where only a run wakes up the delivery, and Salesforce keeps it waiting with its first batch of tasks."""
    (live_stage.folder / "config" / "schedule.yaml").write_text(NOTHING_BUT_THE_RUN, encoding="utf-8")
    live_stage.hold_tasks()
    return live_stage


def is_sending(tree: Tree) -> bool:
    """Whether Salesforce has the first of our batches."""
    first = (outbox.c.state == "leased", outbox.c.destination == "salesforce", outbox.c.kind == "task_create")
    return tree.count("outbox", *first) > 0


def is_read(stage: Stage) -> bool:
    return bool(stage.calls("salesforce"))


def is_running(pid: int) -> bool:
    """Whether a process lives; one that is dead and only not yet waited for does not."""
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def assert_all_is_there_once(stage: Stage, tree: Tree) -> None:
    results = stage.results()  # which looks for tasks made twice
    assert len(results["salesforce"]["fields"]) > 40
    assert len(results["hubspot"]["fields"]) > 40
    assert tree.count("outbox", outbox.c.state.in_(["pending", "leased", "dead"])) == 0
    assert tree.count("runs") == 1
    assert tree.count("schedule_slots", schedule_slots.c.schedule == "daily", schedule_slots.c.finished_slot != "") == 1


def test_a_killed_child_is_started_again_and_goes_on_where_it_stopped(slow_stage: Stage) -> None:
    with up(slow_stage.folder) as tree:
        tree.until(lambda: is_read(slow_stage))
        compute = tree.pid("compute")
        os.kill(compute, signal.SIGKILL)
        tree.until(lambda: is_sending(tree))
        assert tree.pid("compute") not in {0, compute}
        deliver = tree.pid("deliver")
        os.kill(deliver, signal.SIGKILL)
        slow_stage.let_go()
        tree.until(tree.delivered)
        assert tree.pid("deliver") not in {0, deliver}
        assert {line["child"] for line in tree.said("child exited")} == {"compute", "deliver"}
        assert {line["role"] for line in tree.said("leases reclaimed")} == {
            "compute",
            "deliver",
        }
        assert_all_is_there_once(slow_stage, tree)


def test_when_the_parent_is_killed_nothing_lives_on_and_the_next_tree_loses_nothing(slow_stage: Stage) -> None:
    with up(slow_stage.folder) as tree:
        tree.until(lambda: is_sending(tree))
        children = [tree.pid("compute"), tree.pid("deliver")]
        assert all(is_running(child) for child in children)
        tree.process.kill()
        tree.process.wait()
        while any(is_running(child) for child in children):
            time.sleep(_POLL_S)
    slow_stage.let_go()
    with up(slow_stage.folder) as tree:
        tree.until(tree.delivered)
        assert_all_is_there_once(slow_stage, tree)


def test_told_to_end_it_ends_by_itself_and_the_next_tree_goes_on(slow_stage: Stage) -> None:
    with up(slow_stage.folder, environment={"PLGSYNC_STOP_S": "120"}) as tree:
        tree.until(lambda: is_sending(tree))
        children = [tree.pid("compute"), tree.pid("deliver")]
        tree.process.send_signal(signal.SIGTERM)
        tree.until(lambda: tree.said("stopping"))
        slow_stage.let_go()
        assert tree.process.wait(120) == 0
        assert not any(is_running(child) for child in children)
        assert [line["killed"] for line in tree.said("stopped")] == [[], []], "nobody had to be killed"
        assert tree.count("outbox", outbox.c.state == "leased") == 0
        assert tree.count("outbox", outbox.c.state == "pending") > 0, "stopped in the middle, or this shows nothing"
    with up(slow_stage.folder) as tree:
        tree.until(tree.delivered)
        assert_all_is_there_once(slow_stage, tree)


def test_there_is_one_tree_on_a_state_database(live_stage: Stage) -> None:
    with up(live_stage.folder, start=subprocess.Popen) as tree:
        tree.until(lambda: tree.pid("deliver"))
        second = live_stage.attempt("up", env={})
        assert (second.returncode, second.stderr.strip()) == (
            1,
            "plgsync up is running on this state database already",
        )


def test_sandboxes_in_the_tree_are_found_by_the_environment_alone_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    build_stage(folder, 60, 7, now() - timedelta(days=LAST_DAY))
    schedule = folder / "config" / "schedule.yaml"
    schedule.write_text("version: 1\n", encoding="utf-8")
    before = {file: file.read_bytes() for file in (folder / "config").iterdir()}
    with up(folder, "--sandbox") as tree:
        tree.until(lambda: tree.pid("deliver"))
        lines = (folder / ".plgsync" / "sandbox.env").read_text().split("\n")[:-1]
        environment = {name: value.strip("'") for name, _, value in (line.partition("=") for line in lines)}
        for crm in ("salesforce", "hubspot"):
            command = [*PLGSYNC, "crm", "setup", crm, "--project", str(folder)]
            done = forked.run(command, env={**os.environ, **environment}, timeout=120)
            assert done.returncode == 0, done.stderr
        assert {file: file.read_bytes() for file in (folder / "config").iterdir()} == before
        settings = folder / "config" / "crm.yaml"
        settings.write_text(settings.read_text(encoding="utf-8").replace("changed_share: 30%", "changed_share: 100%"))
        schedule.write_text(NOTHING_BUT_THE_RUN, encoding="utf-8")
        tree.until(tree.delivered)
        tree.process.send_signal(signal.SIGINT)
        assert tree.process.wait(60) == 0
    with sandboxes(folder / SEED_FILE) as crms:  # they go on from what was kept
        results = Stage(folder, crms).results()
    assert len(results["salesforce"]["fields"]) > 40
    assert len(results["hubspot"]["fields"]) > 40
