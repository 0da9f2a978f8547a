"""The SQL keeps to the rules that every engine was measured by."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa
import yaml
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect

from worker.language.need import Need
from worker.settings.product import ProductSettings
from worker.settings.product_schema import SCHEMA, mappable
from worker.settings.signals import SignalsSettings
from worker.signals.compile import Query, compile_query
from worker.signals.constructs import Kind
from worker.signals.duck import DuckDialect
from worker.signals.engines import render
from worker.signals.mapping import Catalogue
from worker.signals.measurements import measurements_of

CONFIG = Path(__file__).parents[3] / "config"
AS_OF = datetime(2026, 3, 10, 6, tzinfo=UTC)
NASTY = "it's \"; DROP TABLE events; --"
DIALECTS: dict[str, Dialect] = {
    "duckdb": DuckDialect(),
    "sqlite": sqlite.dialect(),
    "postgresql": postgresql.dialect(paramstyle="named"),  # type: ignore[no-untyped-call]
}


class PaperEngine:
    """A database that only says which columns there are: all of ours."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.member_first = name == "duckdb"

    def probe(self, rows: sa.FromClause | sa.TextClause) -> dict[str, Kind]:
        kinds: dict[str, Kind] = {"time": "time", "number": "float", "flag": "flag", "json": "json"}
        name = str(getattr(rows, "name", ""))
        found = {column: kinds.get(SCHEMA[name].columns[column], "text") for column in mappable(name)}
        return dict.fromkeys(found, "any") if self.name == "sqlite" else found

    def run(self, statement: sa.Select[Any]) -> list[Any]:
        raise AssertionError(f"nothing is run here: {statement}")

    def check_query(self, query: str) -> None: ...

    def materialize(self, name: str, rows: sa.Select[Any]) -> None: ...

    def unique_columns(self, table: str) -> list[frozenset[str]]:
        return []

    def warnings(self) -> list[str]:
        return []

    def tables(self) -> list[str]:
        return list(SCHEMA)

    def close(self) -> None: ...


def query(engine: str, signals: SignalsSettings | None = None) -> Query:
    product = ProductSettings.model_validate(yaml.safe_load((CONFIG / "product.yaml").read_text()))
    signals = signals or SignalsSettings.model_validate(yaml.safe_load((CONFIG / "signals.yaml").read_text()))
    needs = [Need("count", NASTY, 7), Need("users", "Limit Reached", 14), Need("days_since", "Signed In")]
    measurements = measurements_of(signals, needs, AS_OF, product.zone)
    catalogue = Catalogue(engine=PaperEngine(engine), product=product, root=CONFIG, read_at=AS_OF)
    return compile_query(catalogue, measurements, AS_OF)


@pytest.fixture(params=sorted(DIALECTS))
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@cache
def shipped(engine: str) -> str:
    """The text of the query for the shipped settings, which takes a second to build."""
    return render(query(engine).statement, DIALECTS[engine])[0]


@pytest.fixture
def sql(engine: str) -> str:
    return shipped(engine)


def test_it_is_one_select() -> None:
    """As DuckDB's parser reads it; the tests of the engines run the others."""
    with duckdb.connect() as connection:
        statements = connection.extract_statements(shipped("duckdb"))
    assert [statement.type.name for statement in statements] == ["SELECT"]


def test_every_value_is_a_parameter(sql: str) -> None:
    assert NASTY not in sql
    assert "DROP" not in sql
    assert "2026" not in re.sub(r"param_[0-9]+", "", sql)
    assert "Limit Reached" not in sql


def test_conditions_are_case_not_filter_and_nothing_is_divided(sql: str) -> None:
    without_texts = re.sub("'[^']*'", "''", sql)
    assert not re.search(r"\bFILTER\b", without_texts)
    assert "/" not in without_texts


def test_no_alias_can_be_taken_for_a_column_of_the_user(sql: str) -> None:
    aliases = {alias for alias in re.findall(r"\bAS (\w+)", sql) if alias.islower()}
    own = {"account_id", "user_id", "added_at", "created_at"}  # what members "from: events" are called
    assert {alias for alias in aliases if not alias.startswith("s_")} <= own | {"a", "u", "r"}


def test_their_names_are_always_quoted(sql: str) -> None:
    assert '"limit"' in render(sa.select(sa.column("limit")), DIALECTS["duckdb"])[0]
    assert 's_events."user_id"' in sql
    assert 'FROM "events"' in sql


def test_bounded_windows_and_ever_are_read_separately(sql: str) -> None:
    assert len(re.findall(r"FROM s_events_read\b", sql)) >= 3


def test_column_stores_count_members_in_two_steps_and_row_stores_at_once() -> None:
    distinct = {name: len(re.findall(r"count\(DISTINCT", shipped(name))) for name in DIALECTS}
    # The two left on DuckDB are about roles, over people already counted once.
    assert distinct["duckdb"] == 2
    assert distinct["sqlite"] == distinct["postgresql"] > 10


def test_the_same_question_is_the_same_text(engine: str) -> None:
    assert shipped.__wrapped__(engine) == shipped(engine)


def test_a_time_is_read_once_in_a_pass_however_many_windows_it_has() -> None:
    def reads(windows: int) -> int:
        signals = {
            f"n{days}": {"label": "x", "from": "tickets", "measure": "count", "window": f"{days}d"}
            for days in range(1, windows + 1)
        }
        found = query("sqlite", SignalsSettings.model_validate({"version": 1, "signals": signals}))
        return render(found.statement, DIALECTS["sqlite"])[0].count("plgsync_time(")

    assert reads(9) == reads(1)
