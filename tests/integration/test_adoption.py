"""A state database that is lost, or older than the CRMs, takes over what is there, and all goes on as before."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.integration.busy_company import (
    DAYS,
    at,
    comparable,
    differences,
    live,
    open_company,
    run,
    seen,
    undisturbed,
    unknown_tasks,
)
from tests.integration.small_project import STATE


@pytest.mark.parametrize(("state", "last"), [("five days old", 10), ("lost, renamed", 12)])
def test_all_goes_on_as_if_the_state_had_been_kept(state: str, last: int, tmp_path: Path, stages: Path) -> None:
    with open_company(tmp_path / "project") as stage:
        for day in DAYS[: DAYS.index(last) + 1]:
            live(stage, day)
            if day == 5:
                shutil.copy(stage.folder / STATE, tmp_path / "backup.db")
        before = seen(stage)
        for file in (stage.folder / ".plgsync").glob("state.db*"):
            file.unlink()
        if state == "five days old":
            shutil.copy(tmp_path / "backup.db", stage.folder / STATE)
        if state == "lost, renamed":
            crm = stage.folder / "config" / "crm.yaml"
            text = crm.read_text(encoding="utf-8")
            crm.write_text(text.replace("acme", "acme-eu\nformer_project_ids: [acme]", 1), encoding="utf-8")
        for command in ("run", "plan"):
            assert "plgsync adopt" in stage.plgsync(command, *at(12), code=1).stderr
        assert unknown_tasks(stage) == dict.fromkeys(stage.crms, "error")
        stage.plgsync("adopt", *at(12))
        assert unknown_tasks(stage) == {}
        assert seen(stage) == before
        for day in (12, 20):
            run(stage, day)
            assert differences(as_called_before(comparable(seen(stage))), undisturbed(stages)[day]) == [], day


def as_called_before(found: dict[str, Any]) -> dict[str, Any]:
    text: dict[str, Any] = json.loads(json.dumps(found).replace("acme-eu.", "acme."))
    return text
