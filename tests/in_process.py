"""The ``plgsync`` command without a process of its own: saves a second of imports, and coverage sees it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TextIO
from unittest.mock import patch

import structlog

from worker.cli import main


def plgsync(
    *arguments: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stderr: TextIO | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command as its script does, with this environment if given; what it printed and how it ended.

    With ``stderr`` its messages go there.
    """
    command = ["plgsync", *arguments]
    out, err, logging = StringIO(), StringIO(), structlog.get_config()
    environment = patch.dict(os.environ, env or {}, clear=env is not None)
    with (
        environment,
        chdir(cwd or "."),
        patch.object(sys, "argv", command),
        redirect_stdout(out),
        redirect_stderr(stderr or err),
    ):
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            structlog.configure(**logging)
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())
