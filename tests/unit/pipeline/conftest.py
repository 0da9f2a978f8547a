"""Fixtures of the pipeline tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.unit.pipeline.pipeline_kit import Project


@pytest.fixture
def project(tmp_path: Path, sqlite_store: Engine, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(tmp_path / "project", sqlite_store, monkeypatch)
