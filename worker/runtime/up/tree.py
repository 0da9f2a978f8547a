"""The process tree of ``plgsync up``: the checks before it starts, and its processes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from worker.delivery.stop import CancelToken
from worker.runtime.database import make_ready
from worker.runtime.up.lock import hold_tree_lock, state_folder
from worker.runtime.up.roles import JOBS
from worker.runtime.up.supervisor import Child, child_command, supervise
from worker.runtime.up.wakeup_pipe import WakeupPipe
from worker.settings.environment import database_url, project_dir, stop_s, with_variables
from worker.settings.project import load_project

log = structlog.get_logger()

HEARTBEATS = "heartbeats"
SUPERVISOR = "up"


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """The file of the sandboxes' records, and their ports by kind of CRM."""

    seed: Path | None = None
    ports: Mapping[str, int] = field(default_factory=dict)


def bring_up(option: Path | None, sandbox: SandboxOptions | None) -> None:
    """Run the tree until SIGTERM or Ctrl-C.

    Raises `ConfigError`, `InvalidEnvironment`, `StoreError` (also on a newer schema) or `Busy` before anything has
    started.
    """
    patience_s = stop_s()
    root = project_dir(option)
    project = load_project(root)
    make_ready(root)
    folder = state_folder(root, database_url(root))
    lock = hold_tree_lock(folder)
    heartbeats = _fresh_folder(folder / HEARTBEATS)
    children: list[Child] = []
    variables: Mapping[str, str] = {}
    if sandbox is not None:
        from worker.runtime.up.sandboxes import start_sandboxes, write_variables

        started = start_sandboxes(project, folder, sandbox.seed, sandbox.ports)
        children.append(started.child)
        variables = started.variables
        write_variables(variables, folder / "sandbox.env")
        log.info("sandbox CRMs", variables=str(folder / "sandbox.env"))
    children += _workers(root, heartbeats, lock, with_variables(variables))
    log.info("up", project=str(root), state=str(folder), heartbeats=str(heartbeats))
    supervise(children, heartbeats / SUPERVISOR, CancelToken(), patience_s)
    os.close(lock)


def _workers(root: Path, heartbeats: Path, lock: int, environment: Mapping[str, str]) -> list[Child]:
    wakeup = WakeupPipe.open()
    return [
        Child(
            name=role,
            command=child_command(
                "worker.runtime.up.child",
                role,
                *("--project", str(root), "--heartbeat", str(heartbeats / role)),
                *("--wakeup", str(wakeup.read_end), str(wakeup.write_end)),
            ),
            environment=environment,
            heartbeat=heartbeats / role,
            keeps_open=(lock, wakeup.read_end, wakeup.write_end),
        )
        for role in JOBS
    ]


def _fresh_folder(folder: Path) -> Path:
    """An empty folder for heartbeats, without those of an earlier tree."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    return folder
