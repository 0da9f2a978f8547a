"""Files that only their owner can read: state, plans, locks and credentials hold names and texts of accounts."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

_OWNER_ONLY = 0o600


def make_private_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter. One that is there keeps its mode; parents are made as usual."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)


def touch_private(file: Path) -> None:
    """Make an empty file that only its owner may read, unless there is one."""
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT, _OWNER_ONLY))


def write_private(file: Path, text: str) -> None:
    """Put a file that only its owner may read in this place, whole or not at all.

    What a link of this name points at stays as it is. A device or a pipe is written to.
    """
    if file.exists() and not file.is_file():
        file.write_text(text, encoding="utf-8")
        return
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "w", encoding="utf-8") as new:
            new.write(text)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
