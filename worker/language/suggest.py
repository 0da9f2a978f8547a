"""Suggest the known name that an author probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def suggestion(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """How a message about an unknown ``word`` ends: ``. Did you mean "x"?``, or ``otherwise`` when no name is near."""
    name = nearest(word, known)
    return otherwise if name is None else f'. Did you mean "{name}"?'


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name nearest to ``word``, or None when no name is near enough to help."""
    names = sorted(known)
    lowered: dict[str, str] = {}
    for name in names:
        lowered.setdefault(name.casefold(), name)
    wanted = word.strip().casefold()
    if not wanted:
        return None
    if wanted in lowered:
        return lowered[wanted]
    near = get_close_matches(wanted, lowered, n=1, cutoff=0.72)
    if near:
        return lowered[near[0]]
    swapped = [name for name in lowered if sorted(name) == sorted(wanted)]
    if swapped:
        return lowered[swapped[0]]
    same_end = [name for name in names if name.casefold().endswith("." + wanted)]
    return same_end[0] if len(same_end) == 1 else None
