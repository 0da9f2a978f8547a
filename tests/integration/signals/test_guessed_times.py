"""A number is a time only where the unit that its magnitude speaks for is plausible."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pytest

from tests.integration.signals.signals_kit import TYPES, Database, at, product_of, signals_of
from worker.signals.compute import compute
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")
TICKS, COCOA, JUST_BEFORE = "639086000000000000", "802000000", "1104537599"
HAPPENED: dict[str, datetime | None] = {
    TICKS: None,
    COCOA: None,
    f"{COCOA}000": None,
    JUST_BEFORE: None,
    "1104537600": at("2005-01-01"),
    "1767355200": at("2026-01-02T12:00"),
}
ENDS = {
    COCOA: None,
    "2026053123": None,
    "2035123123": None,
    "2035123124": 2_035_123_124,
    "2026053123000": 2_026_053_123,
    "2060000000": 2_060_000_000,
    "3000000000": None,
    "3000000000000": None,
}
"""In seconds since 1970: not an hour of the calendar, and not more than ten years ahead."""


def _read(
    database: Database, kind: str, happened: Iterable[str], ends: Iterable[str], **written: str
) -> tuple[dict[str, Any], list[str]]:
    """The values by cell, each of an account of its own, and the remarks of the data report."""

    def cell(text: str) -> str | int:
        return text if kind == "text" else int(text)

    since = {text: cell(text) for text in happened}
    terms = [
        {"account_id": text, "status": "active", "term_start": at("2026-01-01"), "term_end": cell(text)}
        for text in ends
    ]
    accounts = [{"account_id": text, "created_at": since.get(text)} for text in dict.fromkeys([*happened, *ends])]
    tables: dict[str, Any] = {"accounts": accounts, "events": [], "subscriptions": terms}
    read = {"accounts": "created_at", "subscriptions": "term_end"}
    database.fill(tables, {**TYPES, **{name: TYPES[name] | {ours: kind} for name, ours in read.items()}})
    mapping = {name: {"table": name, "columns": {ours: {"name": ours, **written}}} for name, ours in read.items()}
    product = product_of(database.source, tables, mapping=mapping)
    measure = "from: subscriptions, measure: top, column: term_end, as: days_until"
    with open_source(product, database.folder, AS_OF) as source:
        remarks = [sentence for _, sentence in source.report(AS_OF).remarks()]
        found = compute(source, product, signals_of(f"signals: {{end: {{label: x, {measure}}}}}"), [], AS_OF)
    return found, remarks


def _days_until(second: int) -> int:
    return math.ceil((second - AS_OF.timestamp()) / 86_400)


@pytest.mark.parametrize("kind", ["text", "number"])
def test_a_number_before_2005_far_ahead_or_like_an_hour_of_the_calendar_is_not_believed(
    database: Database, kind: str
) -> None:
    found, remarks = _read(database, kind, HAPPENED, ENDS)
    assert {cell: found[cell]["account.created_at"] for cell in HAPPENED} == HAPPENED
    accounts = len({*HAPPENED, *ENDS})
    assert f"4 of {accounts} rows ({400 / accounts:.0f} %) have a created_at that is not believed" in remarks
    days = {cell: None if end is None else _days_until(end) for cell, end in ENDS.items()}
    assert {cell: found[cell]["end"] for cell in ENDS} == days
    assert "5 of 8 rows (62 %) have a term_end that is not believed" in remarks


def test_a_number_of_a_named_unit_is_believed_as_any_time(database: Database) -> None:
    cells = [COCOA, JUST_BEFORE, "2026053123"]
    found, remarks = _read(database, "number", cells, cells, epoch="s")
    created = [found[cell]["account.created_at"] for cell in (COCOA, JUST_BEFORE)]
    assert created == [at("1995-06-01T09:46:40"), at("2004-12-31T23:59:59")]
    assert found["2026053123"]["end"] == _days_until(2_026_053_123)
    assert [one for one in remarks if "believed" in one] == [
        "1 of 3 rows (33 %) have a created_at that is not believed"
    ]
