"""A column of the product's data: what the source calls it, and how its cells are written."""

from __future__ import annotations

from typing import NamedTuple

from worker.settings.product_columns import ColumnMapping
from worker.signals.constructs import Kind

TYPED = {
    "time": ("time", "naive", "date"),
    "number": ("number", "float"),
    "flag": ("flag",),
    "json": ("struct",),
}
"""Kinds of the engine of which every cell can be read."""
MARK = "mark."
"""How our names of columns begin that nothing maps and that say something of a row."""


class SourceColumn(NamedTuple):
    """A column as it is in the source, and how its cells are written."""

    name: str
    kind: Kind
    written: ColumnMapping | None = None
    ready: bool = False
    """Whether the cells are what our schema means: a column that was worked out."""
    copied_from: str | None = None
    """Its name in the source, where it was copied under another."""

    @property
    def theirs(self) -> str:
        """Its name in the source."""
        return self.copied_from or self.name
