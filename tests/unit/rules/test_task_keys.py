"""The keys of tasks: one for each project, day, playbook, account and action, whatever these are called."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.rules.task_keys import KeyParts, counted_key_of, digest_of, is_counted, key_prefix, parts_of, task_key_of

PROJECTS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,19}", fullmatch=True)
NAMES = st.text(max_size=20).filter(lambda text: "\0" not in text)
IDENTITIES = st.tuples(PROJECTS, st.dates(min_value=date(1000, 1, 1)), NAMES, NAMES, NAMES)


@given(IDENTITIES, IDENTITIES)
def test_two_keys_are_equal_only_for_the_same_task(
    one: tuple[str, date, str, str, str], other: tuple[str, date, str, str, str]
) -> None:
    key = task_key_of(*one)
    assert (key == task_key_of(*other)) is (one == other)
    assert key == key.lower()  # Salesforce ignores case
    assert len(key) <= 64  # of its field, as the docs ask for it
    assert parts_of(key.upper()) == KeyParts(one[0], one[1], digest_of(*one[2:]))
    assert key.startswith(key_prefix(other[0])) is (one[0] == other[0])
    assert not is_counted(key)


@pytest.mark.parametrize("key", ["", "a.20261301.", "a.20260230." + "0" * 32, "a.20260228." + "g" * 32, "über.x.y"])
def test_other_texts_have_no_parts(key: str) -> None:
    assert parts_of(key) is None
    assert not is_counted(key)


def test_a_key_does_not_change_with_the_version() -> None:
    day = date(2026, 3, 2)
    assert task_key_of("acme", day, "pb", "42", "call") == "acme.20260302." + digest_of("pb", "42", "call")
    assert digest_of("pb", "42", "call") == "7a3072513a1a8deeba49abf57ad2c73a"
    assert counted_key_of("pb", "acme", 1, "call") == "9ffec576747bb7a1cf31b089e84938c85761934c"
    assert is_counted(counted_key_of("pb", "acme", 1, "call"))
