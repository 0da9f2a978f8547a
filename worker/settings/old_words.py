"""Words of an earlier version in settings: they keep working for one release, and `plgsync check` names each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from worker.language.condition import Condition
from worker.settings.base import Finding, Loc
from worker.settings.product_schema import OLD_STATES


def old_words_of_condition(loc: Loc, condition: Condition) -> Iterator[Finding]:
    """A warning at every old word of ``condition``, which stands at ``loc``."""
    for inner, comparison in condition.comparisons():
        if comparison.synonyms:
            for value, column in zip(comparison.values, comparison.columns, strict=True):
                yield from _warning((*loc, *inner), value, column)


def old_words_of_test(loc: Loc, test: Any) -> Iterator[Finding]:
    """A warning at every old word of a test on the column ``state``: a value, or a list of values."""
    for index, value in enumerate(test if isinstance(test, list) else [test]):
        yield from _warning((*loc, index) if isinstance(test, list) else loc, value, 0)


def _warning(loc: Loc, value: Any, column: int) -> Iterator[Finding]:
    new = OLD_STATES.get(value.strip().casefold()) if isinstance(value, str) else None
    if new:
        words = " or ".join(f'"{word}"' for word in new)
        yield Finding(loc, f'"{value}" is a word of an earlier version: write {words}', column, "warning")
