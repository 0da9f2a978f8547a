"""A number with its noun in the right number."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """``1 error``, ``2 errors``; ``many`` is the plural where it is not ``one`` with an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
