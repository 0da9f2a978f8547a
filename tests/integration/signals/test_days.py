"""A day without a time begins in the zone of its column, else in that of the project, however it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from tests.integration.signals.signals_kit import at, product_of, signals_of
from tests.integration.signals.test_cells import ENGINES, write
from worker.signals.compute import compute
from worker.signals.source import open_source

AS_OF = at("2026-03-10T12:00")
NEW_YORK = at("2025-03-11T04:00")
BERLIN = at("2025-03-10T23:00")
EVENT = {"account_id": "a0", "name": "Used", "occurred_at": "2026-03-09T12:00:00Z"}


def _created(source: dict[str, Any], folder: Path, **column: str) -> dict[str, Any]:
    columns = {"created_at": {"name": "created_at", **column}}
    product = product_of(
        source,
        ["accounts", "events"],
        mapping={"accounts": {"table": "accounts", "columns": columns}},
        time_zone="America/New_York",
    )
    with open_source(product, folder, AS_OF) as opened:
        opened.report(AS_OF)
        found = compute(opened, product, signals_of("signals: {}"), [], AS_OF)
    return {account: values["account.created_at"] for account, values in found.items()}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_day_written_as_text_begins_in_the_zone_of_the_project(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str
) -> None:
    cells = {
        "2025-03-11": NEW_YORK,
        "20250311": NEW_YORK,
        " 2025-03-11 ": NEW_YORK,
        "2025-03-09": at("2025-03-09T05:00"),  # the clocks changed that day
        "2025-03-11 00:00": at("2025-03-11T00:00"),
        "2025-03-11T00:00:00": at("2025-03-11T00:00"),
        "2025-03-11T00:00:00-04": NEW_YORK,
        "1741651200": at("2025-03-11T00:00"),
        "2025-02-30": None,
    }
    accounts = [{"account_id": f"a{place}", "created_at": cell} for place, cell in enumerate(cells)]
    source = write(engine, request, tmp_path, {"accounts": accounts, "events": [EVENT]})
    found = _created(source, tmp_path)
    assert {cell: found[f"a{place}"] for place, cell in enumerate(cells)} == cells
    berlin = _created(source, tmp_path, zone="Europe/Berlin")
    assert [berlin["a0"], berlin["a1"], berlin["a4"]] == [BERLIN] * 3


@pytest.mark.parametrize("engine", ENGINES)
def test_a_format_of_days_begins_in_the_zone_of_the_project(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str
) -> None:
    account = {"account_id": "a0", "created_at": "11.03.2025"}
    source = write(engine, request, tmp_path, {"accounts": [account], "events": [EVENT]})
    assert _created(source, tmp_path, format="%d.%m.%Y") == {"a0": NEW_YORK}
    assert _created(source, tmp_path, format="%d.%m.%Y", zone="Europe/Berlin") == {"a0": BERLIN}


@pytest.mark.parametrize("engine", ["parquet", "duckdb", "postgres"])
def test_a_column_of_days_begins_in_the_zone_of_the_project(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str
) -> None:
    rows = {"accounts": [{"account_id": "a0", "created_at": "2025-03-11"}], "events": [EVENT]}
    source = write("duckdb" if engine == "parquet" else engine, request, tmp_path, rows)
    retyped = "ALTER TABLE accounts ALTER created_at TYPE DATE"
    if engine == "postgres":
        with psycopg.connect(request.getfixturevalue("postgres_url"), autocommit=True) as server:
            server.execute(f"{retyped} USING created_at::date")
    else:
        with duckdb.connect(str(tmp_path / "product.duckdb")) as duck:
            duck.execute(retyped)
            if engine == "parquet":
                for name in rows:
                    duck.execute(f"COPY {name} TO '{tmp_path / f'{name}.parquet'}' (FORMAT parquet)")
    if engine == "parquet":
        source = {"folder": "."}
    assert _created(source, tmp_path) == {"a0": NEW_YORK}
    assert _created(source, tmp_path, zone="Europe/Berlin") == {"a0": BERLIN}
