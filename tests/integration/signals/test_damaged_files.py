"""A clean company in CSV files is damaged: a line that is torn is named, and no spelling of a file changes a number."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.signals.damage_kit import ACCOUNTS, TYPES, Tables, company, written
from tests.integration.signals.damage_trial import SIGNALS, Trial, examples, measure, tables_of, trial_in
from tests.integration.signals.signals_kit import Database
from worker.signals.errors import SourceError

SOURCE = {"folder": "."}
NAMES = ["key_events_28d", "active_users_28d", "days_since_key_event", "plan", "mrr", "seat_limit", "seats_used"]
NAMES += ["nps.latest", "urgent_tickets_open", "days_payment_overdue", "invites_sent_28d", "gold"]
FEW = SIGNALS.model_copy(update={"signals": {name: SIGNALS.signals[name] for name in NAMES}})
"""One or two of every table: it takes seconds to plan a query about all of them in text."""
LIKE_NUMBERS = ["00417", "417", "417.0", "1e5", "100000", "32E0134", "12345678901234567890", "12345678901234567891"]
LIKE_NUMBERS += ["true", "2026-01-01", "0x10", "1_000", "+7", "-7", ".5", "1,5"]


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """The company in DuckDB: what the files must give."""
    return trial_in(Database("duckdb", tmp_path_factory.mktemp("damage")), FEW)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@dataclass(frozen=True)
class Spelling:
    """How a file is written, where nothing is wrong with it."""

    delimiter: str = ","
    ending: str = "\n"
    quoting: Any = csv.QUOTE_MINIMAL
    encoding: str = "utf-8"
    backwards: bool = False
    """The columns in another order."""


def write(folder: Path, tables: Tables, spelling: Spelling = Spelling()) -> None:
    for table, rows in tables.items():
        columns = list(TYPES[table])[:: -1 if spelling.backwards else 1]
        with (folder / f"{table}.csv").open("w", encoding=spelling.encoding, newline="") as file:
            writer = csv.writer(
                file, delimiter=spelling.delimiter, lineterminator=spelling.ending, quoting=spelling.quoting
            )
            writer.writerow(columns)
            writer.writerows([written(row.get(column)) for column in columns] for row in rows)


@examples(1)
@given(
    ids=st.permutations(LIKE_NUMBERS),
    accounts=st.sets(st.sampled_from(ACCOUNTS), min_size=len(LIKE_NUMBERS), max_size=len(LIKE_NUMBERS)),
)
def test_ids_are_text_whatever_they_look_like(trial: Trial, folder: Path, ids: list[str], accounts: set[str]) -> None:
    renamed = dict(zip(sorted(accounts), ids, strict=True))
    tables = company()
    for rows in tables.values():
        for row in rows:
            row |= {"account_id": renamed.get(row["account_id"], row["account_id"])} if "account_id" in row else {}
    write(folder, tables)
    found = measure(SOURCE, folder, FEW)
    assert list(found.report.remarks()) == []
    before = {new: old for old, new in renamed.items()}
    same = {before.get(account, account): row for account, row in found.accounts.items()}
    trial.hold({account: row | {"account.id": account} for account, row in same.items()})


SPELLINGS = [
    Spelling(";", "\r\n"),
    Spelling("\t", quoting=csv.QUOTE_ALL),
    Spelling("|", encoding="utf-8-sig", backwards=True),
]


def test_files_may_be_written_in_every_usual_way(trial: Trial, folder: Path) -> None:
    for (table, rows), spelling in zip(company().items(), cycle(SPELLINGS), strict=False):
        write(folder, {table: rows}, spelling)
    found = measure(SOURCE, folder, FEW)
    assert list(found.report.remarks()) == []
    trial.hold(found.accounts)


def test_a_file_in_another_encoding_is_refused_until_the_settings_say_so(trial: Trial, folder: Path) -> None:
    write(folder, company())
    write(folder, {"accounts": company()["accounts"]}, Spelling(encoding="latin-1"))
    with pytest.raises(SourceError, match=r"accounts\.csv:2 .*encoding"):
        measure(SOURCE, folder, FEW)
    accounts = {"table": "accounts", "encoding": "latin-1"}
    trial.hold(measure(SOURCE, folder, FEW, mapping={"accounts": accounts}).accounts)


TORN: dict[str, tuple[Callable[[str], str], str]] = {
    "short": (lambda line: line.rpartition(",")[0], "fields instead of"),
    "long": (lambda line: f"{line},and more", "fields instead of"),
    "open": (lambda line: f'{line.rpartition(",")[0]},"oh', ""),
    "bytes": (lambda line: f"\udcff{line}", "encoding"),
}


@examples(8)
@given(table=st.sampled_from(sorted(TYPES)), how=st.sampled_from(sorted(TORN)), place=st.floats(0, 1, exclude_max=True))
def test_a_torn_line_is_named_and_nothing_is_measured(folder: Path, table: str, how: str, place: float) -> None:
    names = {"accounts", "events", table}
    write(folder, {name: rows for name, rows in company().items() if name in names})
    tear, message = TORN[how]
    path = folder / f"{table}.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    torn = 1 + int(place * (len(lines) - 1))
    lines[torn] = tear(lines[torn])
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogateescape")
    of_table = [name for name in NAMES if table in tables_of(name)] or NAMES[:1]
    read = FEW.model_copy(update={"signals": {name: FEW.signals[name] for name in of_table}})
    with pytest.raises(SourceError, match=rf"{table}\.csv:{torn + 1} .*{message}"):
        measure(SOURCE, folder, read, names)


@examples(1)
@given(table=st.sampled_from(["surveys", "tickets", "invites", "invoices"]))
def test_an_optional_file_without_a_byte_is_an_empty_table(trial: Trial, folder: Path, table: str) -> None:
    write(folder, company())
    (folder / f"{table}.csv").write_bytes(b"")
    found = measure(SOURCE, folder, FEW)
    assert found.accounts == trial.measured({**company(), table: []}).accounts
