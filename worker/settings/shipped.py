"""The ``config/`` and ``playbooks/`` that travel with the program."""

from __future__ import annotations

from pathlib import Path

_WORKER = Path(__file__).resolve().parents[1]


def shipped_files() -> Path:
    """The folder that holds the shipped ``config/`` and ``playbooks/``: inside the wheel, else the checkout's root.

    Raises `FileNotFoundError` when the installation lacks them.
    """
    for folder in (_WORKER / "shipped", _WORKER.parent):
        if (folder / "config").is_dir() and (folder / "playbooks").is_dir():
            return folder
    raise FileNotFoundError("the shipped config/ and playbooks/ are missing from this installation; install it again")
