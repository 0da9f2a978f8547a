"""Properties are the keys of an object; a cell with anything else leaves unknown what reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.integration.signals.signals_kit import TYPES, Database, at, product_of, signals_of
from worker.signals.compute import compute
from worker.signals.errors import SourceError
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")
LARGE = signals_of("signals: {large: {label: x, from: events, measure: count, where: {props.amount: {at_least: 3}}}}")
OBJECTS: dict[str, int | None] = {
    '{"amount": 20}': 1,
    ' {"amount": 2}\n': 0,
    '{"amount": 20, "note": "NaN, -Infinity \\" NaN"}': 1,
    "{}": 0,
    "[]": 0,
    " [ ] ": 0,
    "null": 0,
}
LISTS_AND_VALUES = [
    json.dumps('{"amount": 20}'),
    '[{"key": "amount", "value": 20}]',
    "20",
    '"twenty"',
    "true",
]
NO_NUMBERS = ['{"amount": NaN}', '{"amount":20,"note":"\\"","x":[-Infinity]}']


def _measured(database: Database) -> tuple[dict[str, Any], list[str]]:
    product = product_of(database.source, ["accounts", "events"])
    with open_source(product, database.folder, AS_OF) as source:
        remarks = [sentence for table, sentence in source.report(AS_OF).remarks() if table == "events"]
        return compute(source, product, LARGE, [], AS_OF), remarks


def _read(database: Database, cells: Sequence[str], kind: str) -> tuple[list[Any], list[str]]:
    """By cell, how many events with large amounts its account has; and the remarks on the events."""
    of: dict[str, Any] = {"name": "Paid", "occurred_at": at("2026-03-09")}
    events = [of | {"account_id": f"a{place}", "props": cell} for place, cell in enumerate(cells)]
    tables: dict[str, Any] = {"accounts": [{"account_id": row["account_id"]} for row in events], "events": events}
    database.fill(tables, {**TYPES, "events": TYPES["events"] | {"props": kind}})
    found, remarks = _measured(database)
    return [found[row["account_id"]]["large"] for row in events], remarks


def test_a_text_that_is_no_object_of_json_is_unreadable(database: Database) -> None:
    no_objects = [*LISTS_AND_VALUES, '{"amount": 20', *NO_NUMBERS]
    found, remarks = _read(database, [*OBJECTS, *no_objects], "text")
    assert found == [*OBJECTS.values(), *(None for _ in no_objects)]
    assert remarks == ["8 of 15 rows (53 %) have a props that cannot be read"]


def test_json_of_the_database_that_is_no_object_is_unreadable(database: Database) -> None:
    found, remarks = _read(database, [*OBJECTS, *LISTS_AND_VALUES], "json")
    assert found == [*OBJECTS.values(), *(None for _ in LISTS_AND_VALUES)]
    assert remarks == ["5 of 12 rows (42 %) have a props that cannot be read"]


def test_a_column_of_json_of_duckdb_is_read_as_text_is(tmp_path: Path) -> None:
    database = Database("duckdb", tmp_path)
    cells = [*OBJECTS, *LISTS_AND_VALUES, *NO_NUMBERS]
    _read(database, cells, "text")
    database.execute(["ALTER TABLE events ALTER props TYPE JSON"])
    found, remarks = _measured(database)
    values = [*OBJECTS.values(), *(None for _ in (*LISTS_AND_VALUES, *NO_NUMBERS))]
    assert [found[f"a{place}"]["large"] for place in range(len(cells))] == values
    assert remarks == ["7 of 14 rows (50 %) have a props that cannot be read"]


@pytest.mark.parametrize(
    ("kind", "retyped"),
    [
        ("duckdb", "ALTER TABLE events ALTER props TYPE STRUCT(key VARCHAR, value INT)[] USING NULL"),
        ("postgres", "ALTER TABLE events ALTER props TYPE TEXT[] USING NULL"),
    ],
)
def test_a_column_of_lists_holds_no_properties(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, retyped: str
) -> None:
    url = request.getfixturevalue("postgres_url") if kind == "postgres" else ""
    database = Database(kind, tmp_path, url)
    database.fill({"accounts": [{"account_id": "a"}], "events": []})
    database.execute([retyped])
    with pytest.raises(SourceError, match='column "props" is of the kind list, but props needs JSON'):
        _measured(database)
