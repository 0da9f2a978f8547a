"""The built wheel carries everything: commands work from it, away from any checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_project_can_be_made_and_checked_from_the_wheel_alone(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(ROOT)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    code = "import worker; assert worker.__file__.startswith({0!r}); from worker.cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(installed)}

    def plgsync(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code.format(str(installed)), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=environment)

    project = tmp_path / "acme"
    done = plgsync("init", str(project))
    assert done.returncode == 0, done.stderr
    assert (project / "config" / "signals.yaml").read_text() == (ROOT / "config" / "signals.yaml").read_text()
    assert len(list((project / "playbooks").glob("*.yaml"))) == 8
    assert plgsync("check", "--offline", "--project", str(project)).returncode == 0
    assert plgsync("playbooks", "test", "--project", str(project)).returncode == 0
