"""The list of tests that measure no coverage names tests that there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.traced import UNTRACED

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", UNTRACED)
def test_a_test_that_measures_no_coverage_is_there(name: str) -> None:
    file, _, function = name.partition("::")
    found = list(ROOT.glob(f"{file}*"))
    assert found
    assert f"def {function}" in found[0].read_text(encoding="utf-8")
