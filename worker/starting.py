"""A new project: the shipped settings and playbooks, copied to be edited."""

from __future__ import annotations

import shutil
from pathlib import Path

from worker.settings.shipped import shipped_files

_IGNORED = "# state, secrets and logs stay on this machine\n.plgsync/\ndata/\n"


def write_project(folder: Path) -> list[Path]:
    """Copy ``config/`` and ``playbooks/`` into ``folder``; a file that is there already is left alone."""
    written = []
    for source in sorted(shipped_files().glob("*/*.yaml")):
        if source.parent.name in {"config", "playbooks"}:
            target = folder / source.parent.name / source.name
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
                written.append(target)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text(_IGNORED, encoding="utf-8")
        written.append(ignore)
    return written
