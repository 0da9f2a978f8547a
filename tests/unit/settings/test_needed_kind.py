"""What a property must be for a test of it to be answered."""

from __future__ import annotations

from typing import Any

import pytest

from worker.settings.signals import Comparison, needed_kind


@pytest.mark.parametrize(
    ("test", "kind"),
    [
        (True, "flag"),
        ([True, False], "flag"),
        ([True, "maybe"], None),
        ("yes", None),
        ([], None),
        ({"at_least": 3}, "number"),
        ({"below": 0}, "number"),
        ({"is_not": True}, "flag"),
        ({"is_not": ["free"]}, None),
        ({"in": [True]}, "flag"),
        ({"not_in": ["free"]}, None),
        ({"known": True}, None),
    ],
)
def test_a_bound_needs_a_number_and_true_or_false_a_flag(test: Any, kind: str | None) -> None:
    assert needed_kind(Comparison.model_validate(test) if isinstance(test, dict) else test) == kind
