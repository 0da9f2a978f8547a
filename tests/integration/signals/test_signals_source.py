"""Whatever is wrong with the source is said in one clear sentence, and nothing is ever written to it."""

from __future__ import annotations

import gzip
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.integration.signals.signals_kit import Database, at, product_of, signals_of
from worker.language.need import Need
from worker.settings.base import Loc
from worker.settings.product import ProductSettings
from worker.signals.check import PlacedNeed, SourceFinding, check_source
from worker.signals.compute import compute
from worker.signals.errors import SourceError, StaleData
from worker.signals.freshness import check_fresh
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")
SIGNALS = signals_of(
    """
    event_lists: {key_events: [Used, Repot Created]}
    signals:
      used: {label: x, from: events, measure: count, events: key_events, window: 7d}
      nps: {label: x, from: surveys, measure: latest, column: score}
      nps_age: {label: x, from: surveys, measure: last, as: days_since}
      urgent: {label: x, from: tickets, measure: count, where: {severity: urgent}, current: true}
    """
)


def filled(database: Database, **tables: Any) -> dict[str, Any]:
    events = [
        {"account_id": "a", "user_id": "u", "name": name, "occurred_at": at("2026-03-09")}
        for name in ("Used", "Report Created")
    ]
    data = {"accounts": [{"account_id": "a", "is_internal": False}], "events": events, **tables}
    database.fill(data)
    return data


def messages(database: Database, product: ProductSettings, needs: list[Need] | None = None) -> list[tuple[str, str]]:
    with open_source(product, database.folder) as source:
        placed = [PlacedNeed(need, "playbooks/x.yaml") for need in needs or ()]
        return [(finding.severity, finding.message) for finding in check_source(source, product, SIGNALS, placed)]


def test_a_good_source_has_nothing_but_what_stays_unknown_said_once(database: Database) -> None:
    product = product_of(database.source, filled(database, tickets=[]))
    found = messages(database, product, [Need("users", "Used", 14)])
    assert found == [
        ("warning", "table surveys is not mapped, so these stay unknown: nps, nps_age"),
        ("warning", 'no event is called "Repot Created" so far. Did you mean "Report Created"?'),
    ]


def test_a_column_that_is_not_mapped_is_named_with_what_needs_it(database: Database) -> None:
    data = filled(database)
    tickets = {"query": "SELECT account_id, name, occurred_at AS opened_at, name AS severity FROM events"}
    found = messages(database, product_of(database.source, data, mapping={"tickets": tickets}))
    assert ("warning", "column closed_at of tickets is not mapped, so these stay unknown: urgent") in found


def test_an_event_that_never_occurs_is_named_where_each_file_names_it_first(database: Database) -> None:
    product = product_of(database.source, filled(database))
    needs = [
        PlacedNeed(Need("field", "plan"), "config/scores.yaml", ("pql", 0)),
        PlacedNeed(Need("count", "Usd", 7), "config/scores.yaml", ("pql", 1), 5),
        PlacedNeed(Need("users", "Usd", 7), "config/scores.yaml", ("pql", 2)),
        PlacedNeed(Need("first", "Usd"), "playbooks/x.yaml", ("when", "enters"), 9),
    ]
    with open_source(product, database.folder) as source:
        found = [one for one in check_source(source, product, SIGNALS, needs) if "Usd" in one.message]
    message = 'no event is called "Usd" so far. Did you mean "Used"?'
    assert found == [
        SourceFinding("config/scores.yaml", ("pql", 1), message, "warning", 5),
        SourceFinding("playbooks/x.yaml", ("when", "enters"), message, "warning", 9),
    ]


@pytest.mark.parametrize("props", [{"amount": 5, "plan": {"tier": "gold"}}, '"{\\"amount\\": 5}"'])
def test_a_property_that_no_event_has_is_named_where_it_is_read(database: Database, props: Any) -> None:
    tables = filled(database)
    tables["events"][0]["props"] = props
    database.fill(tables)
    signals = signals_of(
        """
        signals:
          paid: {label: x, from: events, measure: sum, column: props.amount, window: 7d}
          gold: {label: x, from: events, measure: count, where: {props.plan.tier: gold}}
          big: {label: x, from: events, measure: count, where: {props.amont: {above: 3}}}
        """
    )
    product = product_of(database.source, tables)
    with open_source(product, database.folder) as source:
        found = check_source(source, product, signals, [])
    named = {finding.loc: finding.message for finding in found if "property" in finding.message}
    expected: dict[Loc, str] = {("signals", "big", "where", "props.amont"): "props.amont"}
    if isinstance(props, str):  # JSON inside a text of JSON has no properties
        expected[("signals", "paid", "column")] = "props.amount"
        expected[("signals", "gold", "where", "props.plan.tier")] = "props.plan.tier"
    message = "no event has the property {} so far, so this is unknown; or list it in may_be_absent"
    unnamed = {loc: said.partition(". Did you mean")[0] for loc, said in named.items()}
    assert unnamed == {loc: message.format(name) for loc, name in expected.items()}


def test_an_excluded_id_that_no_account_has_is_named(database: Database) -> None:
    product = product_of(database.source, filled(database), exclude={"accounts": ["a", "A", 7]})
    found = [message for _, message in messages(database, product) if "left out" in message]
    assert found == [f'no account has the id "{one}", so nothing is left out by it' for one in ("A", "7")]


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"events": {"table": "event"}}, 'table events: there is no table "event". Did you mean "events"?'),
        (
            {"events": {"table": "events", "columns": {"user_id": "usr_id"}}},
            'table events: no column "usr_id". Did you mean "user_id"?',
        ),
        ({"accounts": {"table": "accounts", "extra": {"x": "chanel"}}}, 'Did you mean "channel"?'),
        ({"events": {"table": "accounts"}}, "table events has no column occurred_at"),
        ({"users": {"query": "SELECT account_id AS user_id FROM nowhere"}}, "nowhere"),
    ],
)
def test_a_table_or_column_that_is_not_there_is_named_with_what_was_meant(
    database: Database, mapping: dict[str, Any], said: str
) -> None:
    product = product_of(database.source, filled(database), mapping=mapping)
    errors = [message for severity, message in messages(database, product) if severity == "error"]
    assert len(errors) == 1
    assert said in errors[0]
    signals = signals_of("signals: {p: {label: x, from: events, measure: top_user, column: email}}")
    with open_source(product, database.folder) as source, pytest.raises(SourceError, match=said[:12]):
        compute(source, product, signals, [], AS_OF)


def test_numbers_of_no_known_magnitude_are_no_times(database: Database) -> None:
    data = filled(database)
    query = {"query": "SELECT account_id, name, 17000 AS n FROM events", "columns": {"occurred_at": "n"}}
    with open_source(product_of(database.source, data, mapping={"events": query}), database.folder) as source:
        found = compute(source, source.catalogue.product, SIGNALS, [], AS_OF)
    assert found["a"]["used"] is None


@pytest.mark.parametrize(
    "query", ["WITH x AS (DELETE FROM events RETURNING *) SELECT * FROM x", "SELECT 1) x; DELETE FROM events --"]
)
def test_nothing_is_ever_written(database: Database, query: str) -> None:
    data = filled(database)
    try:
        product = product_of(database.source, data, mapping={"users": {"query": query}})
    except ValueError:
        return
    assert any(severity == "error" for severity, _ in messages(database, product))
    with open_source(product_of(database.source, data), database.folder) as source:
        assert source.report(AS_OF).volume.events == 2


def test_volume_counts_what_there_was_then(database: Database) -> None:
    a_day = {"2026-02-09": 16, "2026-02-16": 10, "2026-02-23": 6, "2026-03-02": 20, "2026-03-09": 9, "2026-03-11": 3}
    events = [
        {
            "account_id": "a",
            "user_id": "own",
            "name": None if hour % 2 else "Used",
            "occurred_at": at(f"{day}T{hour:02}:00"),
        }
        for day, n in a_day.items()
        for hour in range(n)
    ]
    events.append({"account_id": "a", "user_id": "own", "name": "Used", "occurred_at": AS_OF})
    late = {"occurred_at": at("2026-03-09T09:00"), "received_at": AS_OF + timedelta(hours=1)}
    events.append({"account_id": "a", "user_id": "own", "name": "Used", **late})
    accounts = [{"account_id": "a"}, {"account_id": "b", "created_at": at("2026-03-12")}]
    users = [{"user_id": "own", "is_internal": True}]
    product = product_of(database.source, filled(database, events=events, accounts=accounts, users=users))
    with open_source(product, database.folder) as source:
        tuesday = source.report(AS_OF).volume
    with open_source(product, database.folder) as source:
        monday = source.report(AS_OF - timedelta(days=1)).volume
    assert (tuesday.events, tuesday.latest, tuesday.accounts) == (61, at("2026-03-09T08:00"), 1)
    assert (tuesday.last_day_events, tuesday.usual_same_weekday) == (9, 13)
    assert (monday.last_day_events, monday.usual_same_weekday) == (0, None)  # no event is four Sundays old


def test_an_empty_source_is_stale(database: Database) -> None:
    product = product_of(database.source, filled(database, events=[], accounts=[]))
    with open_source(product, database.folder) as source, pytest.raises(StaleData, match=r"no events.*no accounts"):
        check_fresh(source.report(AS_OF).volume, AS_OF, timedelta(days=1))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"duckdb": "none.duckdb"}, "there is no DuckDB file at"),
        ({"sqlite": "none.sqlite"}, "there is no SQLite file at"),
        ({"folder": "none"}, "there is no folder at"),
        ({"duckdb": "broken"}, "cannot open the DuckDB file"),
        ({"sqlite": "broken"}, "cannot open the SQLite file"),
        ({"postgres": "env:PLGSYNC_TEST_NO_SUCH_VARIABLE"}, "PLGSYNC_TEST_NO_SUCH_VARIABLE is not set"),
        ({"postgres": "file:unreachable"}, "cannot open PostgreSQL at 127.0.0.1"),
        ({"postgres": "file:mysql"}, "expected a postgresql:// URL, not mysql://"),
        ({"postgres": "file:broken"}, "the PostgreSQL URL cannot be read"),
    ],
)
def test_a_source_that_cannot_be_opened_is_one_clear_message(tmp_path: Path, source: dict[str, str], said: str) -> None:
    (tmp_path / "broken").write_text("this is no database at all, " * 100)
    (tmp_path / "unreachable").write_text("postgresql://me:s3cret@127.0.0.1:9/product")
    (tmp_path / "mysql").write_text("mysql://me:s3cret@127.0.0.1/product")
    with pytest.raises(SourceError, match=said) as refused:
        open_source(product_of(source, ["accounts", "events"]), tmp_path)
    assert "s3cret" not in str(refused.value)


class TestFolder:
    """Parquet and CSV files."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "data" / "events").mkdir(parents=True)
        with duckdb.connect() as duck:
            for part, when in enumerate(("2026-03-08", "2026-03-09")):
                row = (
                    f"SELECT 'a' AS account_id, 'u{part}' AS user_id, 'Used' AS name, TIMESTAMP '{when}' AS occurred_at"
                )
                duck.execute(f"COPY ({row}) TO '{tmp_path}/data/events/{part}.parquet'")
        (tmp_path / "data" / "accounts.csv").write_text('account_id,name\na,"Ada, ""Inc"""\nb,\n')
        (tmp_path / "outside.csv").write_text("account_id\nsecret\n")
        return tmp_path

    def found(self, folder: Path, tables: dict[str, Any]) -> dict[str, Any]:
        product = product_of({"folder": "data"}, [], mapping=tables)
        with open_source(product, folder) as source:
            signals = signals_of("signals: {u: {label: x, from: events, measure: users}}")
            return {
                key: (row["account.name"], row["u"])
                for key, row in compute(source, product, signals, [], AS_OF).items()
            }

    def test_a_long_query_shows_no_progress_on_stdout(self, folder: Path) -> None:
        code = """
import sys
from pathlib import Path
from worker.signals.duck import open_folder
engine = open_folder(Path(sys.argv[1]), "100MB")
print(engine.connection.execute("SELECT current_setting('enable_progress_bar')").fetchone())
"""  # under -c DuckDB takes the process for one that a person types into
        command = [sys.executable, "-c", code, str(folder / "data")]
        assert subprocess.run(command, capture_output=True, text=True, timeout=60).stdout == "(False,)\n"

    @pytest.mark.parametrize("events", ["events", "events/*.parquet"])
    @pytest.mark.parametrize("accounts", ["accounts", "accounts.csv"])
    def test_a_table_is_a_file_a_folder_or_a_pattern(self, folder: Path, events: str, accounts: str) -> None:
        tables = {"accounts": {"table": accounts}, "events": {"table": events}}
        assert self.found(folder, tables) == {"a": ('Ada, "Inc"', 2), "b": (None, 0)}

    def test_a_query_names_files_like_tables(self, folder: Path) -> None:
        accounts = {"query": "SELECT DISTINCT e.account_id, a.name FROM events e JOIN accounts a USING (account_id)"}
        assert self.found(folder, {"accounts": accounts, "events": {"table": "events"}}) == {"a": ('Ada, "Inc"', 2)}

    @pytest.mark.parametrize(
        "table",
        [
            {"table": "../outside.csv"},
            {"table": "acounts"},
            {"query": "SELECT * FROM read_csv('OUTSIDE')"},
            {"query": "SELECT * FROM read_csv('https://example.com/accounts.csv')"},
        ],
    )
    def test_nothing_outside_the_folder_is_read(self, folder: Path, table: dict[str, str]) -> None:
        table = {key: text.replace("OUTSIDE", str(folder / "outside.csv")) for key, text in table.items()}
        with pytest.raises(SourceError, match="table accounts"):
            self.found(folder, {"accounts": table, "events": {"table": "events"}})

    def test_a_file_that_cannot_be_read_is_named(self, folder: Path) -> None:
        (folder / "data" / "broken.parquet").write_bytes(b"PAR1 but not really")
        with pytest.raises(SourceError, match="table accounts"):
            self.found(folder, {"accounts": {"table": "broken"}, "events": {"table": "events"}})

    def test_a_header_that_stands_again_among_the_rows_is_no_row(self, folder: Path) -> None:
        (folder / "data" / "accounts.csv").write_text("account_id,name\na,Ada\naccount_id,name\nb,name\n")
        tables = {"accounts": {"table": "accounts"}, "events": {"table": "events"}}
        assert self.found(folder, tables) == {"a": ("Ada", 2), "b": ("name", 0)}

    def test_a_column_without_a_name_changes_nothing(self, folder: Path) -> None:
        (folder / "data" / "accounts.csv").write_text("account_id,name,\na,Ada,\nb,Bob,\n")
        tables = {"accounts": {"table": "accounts"}, "events": {"table": "events"}}
        assert self.found(folder, tables) == {"a": ("Ada", 2), "b": ("Bob", 0)}

    def test_a_compressed_file_that_is_cut_off_is_named(self, folder: Path) -> None:
        whole = gzip.compress((folder / "data" / "accounts.csv").read_bytes())
        (folder / "data" / "cut.csv.gz").write_bytes(whole[:-9])
        with pytest.raises(SourceError, match=r"table accounts: cannot read cut\.csv\.gz"):
            self.found(folder, {"accounts": {"table": "cut"}, "events": {"table": "events"}})
