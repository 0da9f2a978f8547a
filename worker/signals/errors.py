"""What can go wrong with product data, by who has to act."""

from __future__ import annotations

from worker.settings.base import Loc
from worker.signals.data_report import DataReport


class SourceError(Exception):
    """The product data cannot be read. The message tells the operator what to change; it contains no credentials.

    ``loc`` is the path in config/product.yaml of what has to change, where that is known.
    """

    def __init__(self, message: str, loc: Loc = ()) -> None:
        super().__init__(message)
        self.loc = loc


class StaleData(Exception):
    """The source is empty, old or shrank: nothing may be scored, and no field counts as unchanged.

    ``report`` is what the look at the data found, where there was one.
    """

    report: DataReport | None = None


class DistrustedData(StaleData):
    """The source does not join or contradicts itself: numbers made of it would be wrong."""


class NoFile(SourceError):
    """No file has the name of a mapped table."""
