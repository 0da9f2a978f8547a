"""Two deployments on one pair of CRMs, one of which loses its state: neither touches a task of the other."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.conftest import Figures
from tests.integration.busy_company import (
    DAYS,
    PEOPLE,
    at,
    comparable,
    differences,
    live,
    open_company,
    run,
    seen,
    undisturbed,
)
from tests.integration.conftest import Stage

PROJECT = "PLGSYNC_PROJECT_ID"
OURS, OTHER = "acme.", "staging."
CRMS = ("salesforce", "hubspot")
GUARDED = ("_use", "use__c")


@pytest.mark.long
@pytest.mark.timeout(400)
def test_neither_touches_what_the_other_has_made(
    tmp_path: Path, stages: Path, monkeypatch: pytest.MonkeyPatch, figures: Figures
) -> None:
    expected = undisturbed(stages)
    with open_company(tmp_path / "project") as stage:
        shutil.copytree(stage.folder, tmp_path / "staging")
        staging = Stage(tmp_path / "staging", stage.crms)
        for day in DAYS:
            live(stage, day)
            with staged(monkeypatch):
                if day == 12:
                    lose_state(staging)
                run(staging, day)
            found = comparable(seen(stage))
            assert tasks_of(found, OURS) == tasks_of(expected[day], OURS)
            assert differences(fields_of(found), fields_of(expected[day])) == [], day
            assert as_ours(tasks_of(found, OTHER)) == untouched(tasks_of(expected[day], OURS))
    figures(kills="1 state of two projects lost", effects=len(tasks_of(found, "")), wrong=0, lost=0, doubled=0)


@contextmanager
def staged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as environment:
        environment.setenv(PROJECT, OTHER.removesuffix("."))
        yield


def lose_state(staging: Stage) -> None:
    for file in (staging.folder / ".plgsync").glob("state.db*"):
        file.unlink()
    assert "plgsync adopt" in staging.plgsync("run", *at(12), code=1).stderr
    staging.plgsync("adopt", *at(12))


def tasks_of(found: dict[str, Any], prefix: str) -> dict[str, tuple[str, Any, str]]:
    """By CRM and key, the tasks of one project with their statuses."""
    return {
        f"{crm} {key}": (crm, task, found["statuses"][crm][key])
        for crm in CRMS
        for key, task in found[crm]["tasks"].items()
        if key.startswith(prefix)
    }


def fields_of(found: dict[str, Any]) -> dict[str, Any]:
    """By CRM, the fields that both projects write alike."""
    return {crm: {a: without_guarded(own) for a, own in found[crm]["fields"].items()} for crm in CRMS}


def without_guarded(values: dict[str, Any]) -> dict[str, Any]:
    """Without the field that has write: if_ours: there, a value of the other project is a person's."""
    return {name: value for name, value in values.items() if not name.lower().endswith(GUARDED)}


def as_ours(tasks: dict[str, tuple[str, Any, str]]) -> dict[str, tuple[str, Any, str]]:
    return {name.replace(OTHER, OURS): task for name, task in untouched(tasks).items()}


def untouched(tasks: dict[str, tuple[str, Any, str]]) -> dict[str, tuple[str, Any, str]]:
    """Without the statuses of tasks that people work on, who see only one of the two."""
    worked_on = {f"busy: {account}" for acts in PEOPLE.values() for _, account, _ in acts}
    return {
        name: (crm, task, "" if (task.get("Subject") or task.get("hs_task_subject")) in worked_on else status)
        for name, (crm, task, status) in tasks.items()
    }
