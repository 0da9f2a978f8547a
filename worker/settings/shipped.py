"""The ``config/`` and ``playbooks/`` that travel with the program, and new projects made of them."""

from __future__ import annotations

import re
import secrets
import shutil
from pathlib import Path

from worker.settings.environment import UNNAMED_PROJECT

_WORKER = Path(__file__).resolve().parents[1]
_IGNORED = "# state, secrets and logs stay on this machine\n.plgsync/\ndata/\n"


def shipped_files() -> Path:
    """The folder that holds the shipped ``config/`` and ``playbooks/``: inside the wheel, else the checkout's root.

    Raises `FileNotFoundError` when the installation lacks them.
    """
    for folder in (_WORKER / "shipped", _WORKER.parent):
        if (folder / "config").is_dir() and (folder / "playbooks").is_dir():
            return folder
    raise FileNotFoundError("the shipped config/ and playbooks/ are missing from this installation; install it again")


def write_project(folder: Path) -> list[Path]:
    """Copy ``config/`` and ``playbooks/`` into ``folder``; a file that is there already is left alone."""
    written = []
    shipped = shipped_files()
    for source in sorted([*shipped.glob("config/*.yaml"), *shipped.glob("playbooks/*.yaml")]):
        target = folder / source.parent.name / source.name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            if source.name == "crm.yaml":
                _name_project(target, folder)
            written.append(target)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text(_IGNORED, encoding="utf-8")
        written.append(ignore)
    return written


def _name_project(settings: Path, folder: Path) -> None:
    """Give the project an id that no other has: its folder's name and four random characters."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")[:15]
    project_id = "-".join(filter(None, (name, secrets.token_hex(2))))
    text = settings.read_text(encoding="utf-8")
    settings.write_text(
        text.replace(f"project_id: {UNNAMED_PROJECT}\n", f"project_id: {project_id}\n"), encoding="utf-8"
    )
