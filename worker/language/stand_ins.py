"""Words of a condition that stand for other values: the name of a list, a word of an earlier version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from worker.language.comparison import check_values, with_list
from worker.language.condition import Condition, Test
from worker.language.errors import LanguageError
from worker.language.values import Value


def with_synonyms(condition: Condition, words: Mapping[str, Mapping[str, tuple[str, ...]]]) -> Condition:
    """The same condition, where some texts of some fields stand for others as well: field → text → those others."""
    if not isinstance(condition, Test):
        children = tuple(with_synonyms(child, words) for child in condition.children)
        return replace(condition, children=children)
    comparison = condition.comparison
    of_field = words.get(comparison.expression.left.name, {}) if not comparison.expression.operator else {}
    texts = (value.strip().casefold() for value in comparison.values if isinstance(value, str))
    found = tuple(word for text in texts for word in of_field.get(text, ()))
    return replace(condition, comparison=replace(comparison, synonyms=found)) if found else condition


def with_lists(condition: Condition, lists: Mapping[str, Sequence[Value]]) -> Condition:
    """The same condition with the values of the lists that it names. Raises LanguageError as the parser does."""
    if not isinstance(condition, Test):
        return replace(condition, children=tuple(with_lists(child, lists) for child in condition.children))
    comparison = condition.comparison
    try:
        if not comparison.listed:
            check_values(comparison, lists)
            return condition
        return replace(condition, comparison=with_list(comparison, lists))
    except LanguageError as problem:
        raise problem.at(condition.loc) from None
