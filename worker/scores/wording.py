"""Scores in words short enough for a CRM text field."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.base.values import shorten
from worker.scores.parts import rounded

LONGEST = 255
"""Characters of a plain text field in both CRMs."""

_BETWEEN = " · "


def one_line(items: Iterable[str]) -> str:
    """As many whole items as fit into one CRM text field, with an ellipsis when some are left out."""
    kept = list(items)
    line = _BETWEEN.join(kept)
    while len(line) > LONGEST and len(kept) > 1:
        kept.pop()
        line = f"{_BETWEEN.join(kept)} …"
    return shorten(line, LONGEST)


def kept_in_crms(score: int) -> str:
    """Says that the CRMs still show an earlier score, which `publish_step` keeps."""
    return f"the CRMs keep {score}: the score has moved by less than publish_step"


def signed(points: float) -> str:
    """``+34``, ``−9`` or ``±0``, in whole points."""
    size = rounded(abs(points))
    if size == 0:
        return "±0"
    return f"+{size}" if points > 0 else f"−{size}"
