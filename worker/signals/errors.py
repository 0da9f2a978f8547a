"""What can go wrong with product data, by who has to act."""

from __future__ import annotations


class SourceError(Exception):
    """The product data cannot be read. The message tells the operator what to change; it contains no credentials."""


class StaleData(Exception):
    """The source is empty, old or shrank: nothing may be scored and nothing counts as unchanged."""


class DistrustedData(StaleData):
    """The source does not join or contradicts itself: numbers made of it would be wrong."""


class NoFile(SourceError):
    """No file has the name of a mapped table."""
