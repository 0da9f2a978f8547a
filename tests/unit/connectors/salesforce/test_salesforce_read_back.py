"""Where reading back from Salesforce goes on."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from connectors.salesforce.read_back import Reader
from tests.unit.connectors.salesforce.org import ORG


def test_reading_goes_on_at_the_cursor_that_0_1_0_stored() -> None:
    asked: list[str] = []

    def no_rows(queries: Sequence[str], *, deleted: bool) -> list[list[Any]]:
        asked.extend(queries)
        return [[] for _ in queries]

    client: Any = SimpleNamespace(try_rows_of=no_rows)
    schema: Any = SimpleNamespace(fields=lambda _object: {})
    stored = {"accounts": "2026-11-23T06:00:00Z", "deals": "2026-11-22T06:00:00Z"}
    assert Reader(client, schema, ORG).read(stored, [], {}, {}).cursor == stored
    accounts, deals = asked
    assert "FROM Account WHERE SystemModstamp > 2026-11-23T05:55:00Z" in accounts
    assert "FROM Opportunity WHERE SystemModstamp > 2026-11-22T05:55:00Z" in deals
