"""One rule each for finite numbers, e-mail addresses, texts for a CRM, formulas and lengths."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base.values import email_address, finite_number, not_a_formula, shorten, stored_text

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)


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


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("a\r\nb\nc\td", "a\nb\nc d"),
        ("\x1b[31mred\x07\x00\x9b", " [31mred   "),
        ("gpj.\u202eexe", "gpj. exe"),
        ("half \ud83d", "half  "),
        ("\U0001f469\u200d\U0001f4bb می\u200cخواهم שלום\u200f", "\U0001f469\u200d\U0001f4bb می\u200cخواهم שלום\u200f"),
    ],
)
def test_a_text_loses_what_is_no_text_and_keeps_what_languages_need(text: str, stored: str) -> None:
    assert stored_text(text) == stored


@given(text=ANY_TEXT)
def test_a_stored_text_commands_nothing(text: str) -> None:
    stored = stored_text(text)
    assert stored.encode().decode() == stored
    assert not any(unicodedata.category(c) == "Cc" and c != "\n" for c in stored)
    assert not any(
        unicodedata.bidirectional(c) in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "PDI"} for c in stored
    )
    assert stored_text(stored) == stored


@pytest.mark.parametrize(
    "formula",
    [
        '=HYPERLINK("http://evil.example","x")',
        "+1+cmd|' /C calc'!A0",
        "-2+3+cmd|' /C calc'!A0",
        "@SUM(1)",
        " =1",
        "\n=1",
        "\uff1d1+1",
        "=1",
        "-acme",
    ],
)
def test_what_a_spreadsheet_would_calculate_gets_an_apostrophe(formula: str) -> None:
    assert not_a_formula(formula) == f"'{formula}" == not_a_formula(not_a_formula(formula))


@pytest.mark.parametrize(
    "text", ["", "Acme", "a=b", "-5", "+12.5 %", "+49 (0) 30 / 123-45", "-", "'=1", "ann@example.com"]
)
def test_other_texts_and_numbers_get_none(text: str) -> None:
    assert not_a_formula(text) == text


@pytest.mark.parametrize(
    ("text", "most", "expected"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("ab  cd", 5, "ab…"),
        ("\U0001f600" * 2, 4, "\U0001f600" * 2),
        ("\U0001f600" * 3, 4, "\U0001f600…"),
        ("\U0001f600", 1, "…"),
        ("ab", 0, ""),
    ],
)
def test_a_text_is_as_long_as_crms_count(text: str, most: int, expected: str) -> None:
    assert shorten(text, most) == expected


@given(text=ANY_TEXT, most=st.integers(0, 50))
def test_a_short_text_is_the_beginning_of_the_text_within_its_length(text: str, most: int) -> None:
    short = shorten(text, most)
    assert len(short.encode("utf-16-le", "surrogatepass")) <= 2 * most
    assert short == text or text.startswith(short.removesuffix("…"))
