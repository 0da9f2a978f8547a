"""An account whose deletion cannot be read is neither live nor gone, in every kind of source."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.signals.signals_kit import at, product_of
from tests.integration.signals.test_cells import ENGINES, write
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")
DELETED = {"yesterday": True, "1970-01-01": True, "2026-03-01": False, "9999-12-31": False, "": False, "NULL": False}


@pytest.mark.parametrize("engine", ENGINES)
def test_an_account_may_be_deleted_when_its_deletion_is_unknown(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str
) -> None:
    accounts = [{"account_id": f"a{place}", "deleted_at": cell} for place, cell in enumerate(DELETED)]
    event = {"account_id": "a0", "name": "Used", "occurred_at": "2026-03-09"}
    tables = {"accounts": accounts, "events": [event]}
    product = product_of(write(engine, request, tmp_path, tables), tables)
    with open_source(product, tmp_path, AS_OF) as source:
        said = [sentence for table, sentence in source.report(AS_OF).remarks() if table == "accounts"]
        found = source.undecided()
    assert found == {f"a{place}" for place, undecided in enumerate(DELETED.values()) if undecided}
    assert said == [
        '1 of 6 rows (17 %) have a deleted_at that cannot be read, such as "yesterday"',
        "1 of 6 rows (17 %) have a deleted_at that is not believed",
    ]
