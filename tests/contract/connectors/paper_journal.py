"""A `connectors.base.Journal` of files: what one process keeps, the next one finds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PaperJournal:
    folder: Path

    def read(self, name: str) -> str | None:
        file = self.folder / name
        return file.read_text() if file.exists() else None

    def write(self, name: str, text: str) -> None:
        made = self.folder / f".{name}"
        made.write_text(text)
        os.replace(made, self.folder / name)  # noqa: PTH105 - whole or not at all

    def erase(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        return sorted(file.name for file in self.folder.iterdir())
