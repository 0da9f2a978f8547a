"""Commands on a terminal name the step they are in, and leave nothing of it there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.in_process import plgsync
from tests.integration.conftest import AS_OF, Stage
from tests.integration.measured import remembering
from tests.terminal import Terminal, open_terminal
from worker.rendering import progress

RUN = ["run", "--as-of", AS_OF.isoformat(), "--first-run"]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show steps from the start, as after two seconds, whatever the terminal of the tests is."""
    monkeypatch.setattr(progress, "_SILENT_S", 0.0)
    for name in ("TERM", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with open_terminal(columns=120) as one:
        yield one


def in_order(written: str, steps: list[str]) -> bool:
    places = [written.find(step) for step in steps]
    return -1 not in places and places == sorted(places)


def test_a_run_names_every_stage_and_counts_what_can_be_counted(stage: Stage, terminal: Terminal) -> None:
    done = plgsync(*RUN, "--project", str(stage.folder), stderr=terminal.stream)
    assert done.returncode == 0
    assert in_order(
        terminal.written(),
        [
            "opening the project",
            "reading the state database",
            "opening table accounts",
            "checking table accounts (1 of ",
            "checking table events (",
            "counting events by name and day",
            "reading the accounts",
            "measuring signals, moment (1 of ",
            "measuring signals, moment (2 of ",
            "reading from ",
            "scoring accounts",
            "deciding what playbooks do",
            "planning the writes to the CRMs",
            "storing the results and the writes to send",
            " to hubspot (",
            "updating the alerts",
        ],
    )
    for name in stage.crms:
        assert f"fields to {name} (0 of " in terminal.written()
    assert terminal.screen() == []


def test_nothing_is_shown_among_json(stage: Stage, terminal: Terminal) -> None:
    for option in ("--json", "--json-logs"):
        with remembering():
            done = plgsync(*RUN, option, "--project", str(stage.folder), stderr=terminal.stream)
        assert done.returncode == 0
        assert "scoring" not in terminal.written(), option


def test_check_names_the_tables_and_the_crms_it_looks_at(stage: Stage, terminal: Terminal) -> None:
    plgsync("check", "--project", str(stage.folder), stderr=terminal.stream)
    steps = ["reading the files", "checking table events (", "comparing the data", "looking up the words"]
    assert in_order(terminal.written(), [*steps, "checking salesforce (1 of 2)", "checking hubspot (2 of 2)"])
    assert terminal.screen() == []


def test_a_failure_leaves_its_message_only(stage: Stage, terminal: Terminal) -> None:
    explain = ["explain", "no-such-account", "--as-of", AS_OF.isoformat(), "--project", str(stage.folder)]
    done = plgsync(*explain, stderr=terminal.stream)
    assert done.returncode == 2
    assert "measuring signals" in terminal.written()
    (message,) = terminal.screen()
    assert "no-such-account" in message
    assert "measuring" not in message
