"""Tests that compare a share with a percentage that lacks its sign: ``health.coverage >= 60`` is never true."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.base.values import finite_number
from worker.language.condition import Condition
from worker.settings.base import Finding, Loc
from worker.settings.known import Known
from worker.settings.score_specs import score_fields

_LARGEST_BELIEVED = 10
"""A signal in percent may be more than all, as growth may; ten times as much was hardly meant."""


def share_tests_of_condition(loc: Loc, condition: Condition, known: Known) -> Iterator[Finding]:
    """An error at every test of a share with a number that no share reaches; a warning where it is just unlikely."""
    shares = {name for name, field in score_fields().items() if field.unit == "share"}
    for inner, comparison in condition.comparisons():
        need = comparison.expression.left
        if comparison.expression.operator or need.kind != "field":
            continue
        for value, column in zip(comparison.values, comparison.columns, strict=False):
            if not finite_number(value):
                continue
            if need.name in shares and not 0 <= value <= 1:
                message = f"{need.name} is a share, from 0 to 1: write {value:g}%"
                yield Finding((*loc, *inner), message, column)
            elif need.name in known.percentages and abs(value) > _LARGEST_BELIEVED:
                message = f"{need.name} is a share, and {value:g} is {value:,.0%}: write {value:g}% if that is meant"
                yield Finding((*loc, *inner), message, column, severity="warning")
