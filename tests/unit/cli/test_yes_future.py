"""A person who asks for a run in the future has to say that it is meant."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import in_process
from worker.settings.shipped import write_project


@pytest.mark.parametrize(("options", "says"), [((), "is in the future"), (("--yes-future",), "product data")])
def test_a_run_as_of_the_future_needs_yes_future(tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    write_project(tmp_path)
    (tmp_path / "config" / "crm.yaml").write_text("version: 1\n", encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PLGSYNC_")}
    done = in_process.plgsync("run", "--as-of", "2096-02-29", *options, cwd=tmp_path, env=kept)
    assert done.returncode == 1
    assert says in done.stderr
    assert ("2096-02-29T00:00:00Z" in done.stderr) == (not options)
