"""A folder of files loses no row and no cell silently: what cannot be read as it stands is refused by name."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.integration.signals.signals_kit import at, product_of, signals_of
from worker.signals.compute import compute
from worker.signals.errors import SourceError
from worker.signals.source import open_source

AS_OF = at("2026-07-01T06:00")
SIGNALS = signals_of(
    """
    signals:
      events: {label: x, from: events, measure: count, window: 28d}
      users: {label: x, from: events, measure: users, window: 28d}
      amount: {label: x, from: events, measure: sum, column: props.amount, window: 28d}
      today: {label: x, from: events, measure: count, window: 1d}
    """
)
NAMES = "account_id,user_id,name,occurred_at,props"
MAY = 'a,u1,Used,2026-06-10T12:00:00Z,"{""amount"": 1}"\n'
JUNE = 'a,u2,Used,2026-06-20T12:00:00Z,"{""amount"": 2}"\n'
BOTH = {"events": 2, "users": 2, "amount": 3, "today": 0}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "events").mkdir()
    (tmp_path / "accounts.csv").write_text("account_id,name\na,Ada\n")
    (tmp_path / "events" / "2026-05.csv").write_text(f"{NAMES}\n{MAY}")
    return tmp_path


def found(folder: Path, events: Any = "events", zone: str = "UTC", **mapping: Any) -> dict[str, Any]:
    """The signals of the account, whose events are in the table or query ``events``."""
    tables = {"accounts": {"table": "accounts"}, "events": {"table": events, **mapping}}
    if " " in events:
        tables["events"] = {"query": events}
    product = product_of({"folder": "."}, [], mapping=tables, time_zone=zone)
    with open_source(product, folder, AS_OF) as source:
        row = compute(source, product, SIGNALS, [], AS_OF)["a"]
    return {name: row[name] for name in BOTH}


@pytest.mark.parametrize("first", ["\n", "\r\n \r\n", "\ufeff\n", "\xa0\n\u200b\n"])
def test_rows_below_blank_lines_are_read(folder: Path, first: str) -> None:
    path = folder / "events" / "2026-06.csv"
    end = "\r\n" if "\r" in first else "\n"
    path.write_text(first + f"{NAMES}\n{JUNE}".replace("\n", end), encoding="utf-8", newline="")
    assert found(folder) == BOTH
    path.write_text(first + f"{NAMES}\n{JUNE}a,u3\n".replace("\n", end), encoding="utf-8", newline="")
    with pytest.raises(SourceError, match=rf"2026-06\.csv:{first.count(chr(10)) + 3} has 2 fields instead of 5"):
        found(folder)


@pytest.mark.parametrize("text", [f"\r\n{NAMES}\n{JUNE}", f"\n{NAMES}\r\n{JUNE}", f"\r\r\n{NAMES}\n{JUNE}"])
def test_blank_lines_that_end_otherwise_are_named(folder: Path, text: str) -> None:
    (folder / "events" / "2026-06.csv").write_text(text, encoding="utf-8", newline="")
    with pytest.raises(SourceError, match=r"2026-06\.csv:1 is blank and does not end like"):
        found(folder)


@pytest.mark.parametrize("name", ["2026-06.CSV", "2026-06.csv.gz", "2026-06.Csv.GZ"])
@pytest.mark.parametrize("events", ["events", "SELECT * FROM events"])
def test_every_spelling_of_an_ending_is_read_with_the_others(folder: Path, name: str, events: str) -> None:
    text = f"{NAMES}\n{JUNE}".encode()
    (folder / "events" / name).write_bytes(gzip.compress(text) if name.lower().endswith("gz") else text)
    (folder / "events" / "_SUCCESS").touch()
    assert found(folder, events) == BOTH


def test_a_file_in_a_folder_below_is_named_with_the_pattern_that_reads_it(folder: Path) -> None:
    (folder / "events" / "2026-06").mkdir()
    (folder / "events" / "2026-06" / "1.csv").write_text(f"{NAMES}\n{JUNE}")
    with pytest.raises(SourceError, match=r"table events: events/2026-06/1\.csv .* map events/\*\*/\*\.csv"):
        found(folder)
    assert found(folder, "events/**/*.csv") == BOTH


@pytest.mark.parametrize("events", ["events", "SELECT account_id, user_id, name, occurred_at, props FROM events"])
@pytest.mark.parametrize(
    ("names", "message"),
    [
        (NAMES.replace("user_id", "userId"), r'events/2026-06\.csv has no column "user_id". Did you mean "userId"\?'),
        (NAMES.replace("props", "properties"), r'2026-06\.csv has no column "props". Did you mean "properties"\?'),
    ],
)
def test_a_column_renamed_in_the_newest_file_is_named(folder: Path, names: str, message: str, events: str) -> None:
    (folder / "events" / "2026-06.csv").write_text(f"{names}\n{JUNE}")
    with pytest.raises(SourceError, match=message):
        found(folder, events)


def test_an_extra_column_that_goes_is_named(folder: Path) -> None:
    (folder / "accounts").mkdir()
    (folder / "accounts.csv").rename(folder / "accounts" / "2.csv")
    (folder / "accounts" / "1.csv").write_text("account_id,name,area\nb,Bob,north\n")
    tables = {"accounts": {"table": "accounts", "extra": {"region": "area"}}, "events": {"table": "events"}}
    product = product_of({"folder": "."}, [], mapping=tables)
    with (
        pytest.raises(SourceError, match=r'table accounts: accounts/2\.csv has no column "area"'),
        open_source(product, folder, AS_OF) as source,
    ):
        source.report(AS_OF)


def test_a_mapped_column_that_goes_is_named(folder: Path) -> None:
    (folder / "events" / "2026-05.csv").write_text(f"{NAMES.replace('user_id', 'uid')},total\n{MAY.strip()},1\n")
    (folder / "events" / "2026-06.csv").write_text(f"{NAMES.replace('user_id', 'uid')}\n{JUNE}")
    with pytest.raises(SourceError, match=r'2026-06\.csv has no column "total"'):
        found(folder, columns={"user_id": "uid", "props.amount": "total"})


def test_a_column_may_be_added_later_and_missing_in_a_file_without_rows(folder: Path) -> None:
    (folder / "events" / "2026-04.csv").write_text("account_id,name,occurred_at\na,Used,2026-06-09T12:00:00Z\n")
    (folder / "events" / "2026-06.csv").write_text(f"{NAMES}\n{JUNE}")
    (folder / "events" / "2026-07.csv").write_text("account_id,name\n")
    assert found(folder)["events"] == 3


def test_names_of_columns_have_no_blanks_around_them(folder: Path) -> None:
    (folder / "events" / "2026-06.csv").write_text(
        f"{NAMES.replace('user_id', chr(0x200B) + 'user_id' + chr(0xA0))}\n{JUNE}", encoding="utf-8"
    )
    assert found(folder) == BOTH


def write_parquet(folder: Path, name: str, occurred_at: str, user: str = "u1", more: str = "") -> None:
    (folder / "events" / "2026-05.csv").unlink(missing_ok=True)
    path = folder / "events" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    row = f"SELECT 'a' AS account_id, '{user}' AS user_id, {occurred_at} AS occurred_at, NULL AS props{more}"
    with duckdb.connect() as duck:
        duck.execute("SET TimeZone = 'UTC'")
        duck.execute(f"COPY ({row}) TO '{path}' (FORMAT parquet)")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("TIMESTAMP '2026-06-30 12:00'", "TIMESTAMPTZ '2026-06-30 12:00+00'"),
        ("DATE '2026-06-30'", "TIMESTAMP '2026-06-30 12:00'"),
    ],
)
@pytest.mark.parametrize("events", ["events", "SELECT account_id, user_id, name, occurred_at FROM events"])
def test_parquet_files_with_times_of_two_kinds_are_named(folder: Path, one: str, other: str, events: str) -> None:
    write_parquet(folder, "1.parquet", one, more=", 'Used' AS name")
    write_parquet(folder, "2.parquet", other, more=", 'Used' AS name")
    with pytest.raises(
        SourceError, match=r'column "occurred_at" is .* in events/1\.parquet and .* in events/2\.parquet'
    ):
        found(folder, events, "America/New_York")


def test_the_column_of_a_file_counts_more_than_the_name_of_its_folder(folder: Path) -> None:
    time, name = "TIMESTAMP '2026-06-30 12:00'", ", 'Used' AS name"
    write_parquet(folder, "occurred_at=2026-06-01/1.parquet", time, more=name)
    write_parquet(folder, "occurred_at=2026-06-02/1.parquet", time, "u2", more=name)
    assert found(folder, "events/**/*.parquet") == {**BOTH, "amount": None, "today": 2}


def test_the_name_of_a_folder_is_a_column_that_no_file_has(folder: Path) -> None:
    for day, user in ((29, "007"), (30, "7")):
        path = folder / "events" / f"occurred_at=2026-06-{day}" / f"user_id={user}" / "1.csv"
        path.parent.mkdir(parents=True)
        path.write_text("account_id,name\na,Used\n")
    (folder / "events" / "2026-05.csv").unlink()
    assert found(folder, "events/**/*.csv", "America/New_York") == {**BOTH, "users": 2, "amount": None, "today": 1}


def test_a_query_compares_the_day_of_a_folder_with_days(folder: Path) -> None:
    for day in (29, 30):
        path = folder / "events" / f"day=2026-06-{day}" / "1.csv"
        path.parent.mkdir(parents=True)
        path.write_text(f"{NAMES}\n{JUNE}")
    (folder / "events" / "2026-05.csv").unlink()
    query = "SELECT * FROM read_csv('events/*/*.csv')"
    query = f"SELECT * FROM ({query.replace('events/', f'{folder}/events/')}) WHERE day >= DATE '2026-06-30'"
    assert found(folder, query)["events"] == 1


def test_a_file_without_names_is_refused_without_a_cell_of_it(folder: Path) -> None:
    (folder / "users.csv").write_text("u1,u1@a1.com\n")
    tables = {"accounts": {"table": "accounts"}, "events": {"table": "events"}}
    for users in ({"table": "users"}, {"query": "SELECT user_id, email FROM users"}):
        product = product_of({"folder": "."}, [], mapping={**tables, "users": users})
        with (
            pytest.raises(SourceError, match=r"users\.csv:1 seems to hold data") as refused,
            open_source(product, folder, AS_OF) as source,
        ):
            source.report(AS_OF)
        assert "u1@a1.com" not in str(refused.value)


def test_a_line_that_is_too_long_is_named_with_the_most_that_is_read(folder: Path) -> None:
    (folder / "events" / "2026-06.csv").write_text(f"{NAMES}\n{JUNE}a,u3,Used,2026-06-20,{'x' * 2_100_000}\n")
    with pytest.raises(SourceError, match=r"2026-06\.csv:3 is longer than 2,000,000 bytes"):
        found(folder)


def test_lines_that_end_in_two_ways_are_named(folder: Path) -> None:
    (folder / "events" / "2026-06.csv").write_text(
        f"{NAMES}\na,u2,Used,2026-06-20,x\r\na,u2,Used,2026-06-20,x\n", newline=""
    )
    with pytest.raises(SourceError, match=r"events/2026-06\.csv cannot be read as CSV: its lines end in more than one"):
        found(folder)
