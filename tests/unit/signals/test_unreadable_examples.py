"""A report repeats an unreadable cell, so that an admin sees its form, and never a personal value."""

from __future__ import annotations

import pytest

from worker.signals.table_findings import example_of, impersonal


@pytest.mark.parametrize(
    "cell", ["03/11/2025", "5.5.2025 10:00", "2025-13-45T10:00:00", "1,5", "yesterday", "1 234,50"]
)
def test_a_cell_is_shown_as_it_is(cell: str) -> None:
    assert example_of(cell) == f'"{cell}"'


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("+49 170 1234567", '"+## ### #######"'),
        ("(555) 123-4567", '"(###) ###-####"'),
        ("555-123-4567", '"###-###-####"'),
        ("0049170123", '"##########"'),
        ("03/11/1985", '"##/##/####"'),
        ("4111 1111 1111 1111", '"#### #### #### ####"'),
    ],
)
def test_what_may_be_about_a_person_shows_its_form(cell: str, shown: str) -> None:
    assert example_of(cell) == shown


@pytest.mark.parametrize("cell", ["ann@example.com", "Ann Elizabeth Example", "\ufffd", None])
def test_names_addresses_and_bytes_are_not_shown(cell: str | None) -> None:
    assert example_of(cell) is None


def test_an_id_with_a_nul_is_shown_without_it_so_that_any_database_stores_the_report() -> None:
    assert impersonal("zz\0b") == "zz\ufffdb"
