"""The project that plgsync init writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.settings import shipped


def test_a_project_gets_every_shipped_file_and_keeps_its_own(tmp_path: Path) -> None:
    own = tmp_path / "config" / "crm.yaml"
    own.parent.mkdir()
    own.write_text("mine")
    written = shipped.write_project(tmp_path)
    assert own.read_text() == "mine"
    assert own not in written
    assert {"config/signals.yaml", "playbooks/pql-to-task.yaml", ".gitignore"} <= {
        file.relative_to(tmp_path).as_posix() for file in written
    }
    assert (tmp_path / "config/signals.yaml").read_text() == (
        shipped.shipped_files() / "config/signals.yaml"
    ).read_text()
    assert shipped.write_project(tmp_path) == []


def test_an_installation_without_the_shipped_files_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "_WORKER", tmp_path / "worker")
    with pytest.raises(FileNotFoundError, match="install it again"):
        shipped.shipped_files()
