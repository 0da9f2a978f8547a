"""The reasons of an answer: which tests decided it, and what is missing where it is unknown."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.base.values import shorten
from worker.language.condition import Condition, Not, Test, WhenMissing
from worker.language.values import Fields, Value, tidy

_LONGEST_REASON = 255


def matched_text(condition: Condition, fields: Fields) -> str:
    """The tests that made a condition true, with the values seen, in at most 255 characters."""
    return shorten("; ".join(_deciding_tests(condition, fields, truth=True)), _LONGEST_REASON)


def failed_text(condition: Condition, fields: Fields) -> str:
    """The tests that made a condition false, with the values seen, in at most 255 characters."""
    return shorten("; ".join(_deciding_tests(condition, fields, truth=False)), _LONGEST_REASON)


def missing_names(condition: Condition, fields: Fields) -> Iterator[str]:
    """The names that are unknown and leave a condition unknown; nothing when it has an answer."""
    if condition.run(fields) is not None:
        return
    if isinstance(condition, Test):
        names = [need.key for need in condition.comparison.expression.needs() if fields.get(need.key) is None]
        yield from sorted(names) or [condition.comparison.text]
    else:
        for child in condition.children:
            yield from missing_names(child, fields)


def _deciding_tests(condition: Condition, fields: Fields, *, truth: bool) -> Iterator[str]:
    """The tests that made the answer of a condition ``truth``."""
    if condition.run(fields) is not truth:
        return
    match condition:
        case Test():
            yield _with_values(condition, fields)
        case Not():
            yield f"not {condition.children[0]}"
        case WhenMissing() if condition.children[0].run(fields) is None:
            yield f"{condition.children[0]} (unknown, taken for {str(truth).lower()})"
        case _:  # all, any, or a known answer
            for child in condition.children:
                yield from _deciding_tests(child, fields, truth=truth)


def _with_values(test: Test, fields: Fields) -> str:
    """``seats_used / seat_limit >= 85% (18 / 20)``; the value of an ``is`` test of a text or yes/no is not repeated."""
    comparison = test.comparison
    if comparison.op == "is" and comparison.kind in {"text", "bool"}:
        return comparison.text
    seen = [fields.get(mention.need.key) for mention in comparison.expression.mentions]
    return f"{comparison.text} ({_joined(seen, comparison.expression.operator)})"


def _joined(seen: list[Value], operator: str) -> str:
    return (f" {operator} " if operator else ", ").join(tidy(value) for value in seen)
