"""One rule for finite numbers and one for e-mail addresses."""

from __future__ import annotations

import pytest

from connectors.base.values import email_address, finite_number


@pytest.mark.parametrize("value", [0, -1, 2**70, 1.5, -0.0])
def test_finite_numbers(value: object) -> None:
    assert finite_number(value)


@pytest.mark.parametrize("value", [True, False, None, "1", float("nan"), float("inf"), float("-inf")])
def test_everything_else_is_not_a_finite_number(value: object) -> None:
    assert not finite_number(value)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ann@example.com", "ann@example.com"),
        (" Ann.B+x@Example.CO.uk\n", "ann.b+x@example.co.uk"),
        ("", ""),
        (None, ""),
        ("ann", ""),
        ("@", ""),
        ("ann@example", ""),
        ("a b@example.com", ""),
        ("ann@bob@example.com", ""),
        ("ann@example.com,bob@example.com", ""),
        ("ann@example.com;bob@example.com", ""),
        ("Ann<ann@example.com>", ""),
        ("ann;bob@example.com", ""),
        ("ann@example.com,example.org", ""),
    ],
)
def test_an_email_address_is_one_address_in_lower_case(text: str | None, address: str) -> None:
    assert email_address(text) == address
