"""A clean company is damaged in one way after another: the report says so, and no number is believed that is wrong."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.signals.damage_kit import (
    ACCOUNTS,
    AS_OF,
    KEYS,
    Damage,
    company,
    owner,
    without,
)
from tests.integration.signals.damage_spellings import (
    AHEAD,
    DEVICE_CLOCKS,
    EMPTY,
    MAY_LIE_AHEAD,
    NEVER_NEGATIVE,
    NOT_FINITE,
    NOTHING,
    NUMBERS,
    REQUIRED,
    SAME_NUMBERS,
    SAME_TEXTS,
    SAME_TIMES,
    TEXTS,
    TIMES,
    UNREADABLE_NUMBERS,
    UNREADABLE_TIMES,
    damages,
    together,
)
from tests.integration.signals.damage_trial import (
    ONE_POINT,
    Trial,
    examples,
    trial_in,
)
from tests.integration.signals.signals_kit import Database


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """The company in DuckDB."""
    return trial_in(Database("duckdb", tmp_path_factory.mktemp("damage")))


TIME_DAMAGE = together(
    damages("unreadable", TIMES, UNREADABLE_TIMES),
    damages("disbelieved", TIMES, DEVICE_CLOCKS),
    damages("disbelieved", [one for one in TIMES if one not in MAY_LIE_AHEAD], AHEAD),
    damages(None, TIMES, SAME_TIMES),
)
NUMBER_DAMAGE = together(
    damages("unreadable", NUMBERS, UNREADABLE_NUMBERS),
    damages("disbelieved", NEVER_NEGATIVE, ["-3", -3.5]),
    damages("unlimited", [("subscriptions", "seats")], [-1, "-1", 999_999, "1e6"]),
    damages(None, NUMBERS, SAME_NUMBERS),
)
NO_VALUE = together(
    damages(None, EMPTY, NOTHING, empty=True, number=len(EMPTY)),
    damages("missing", REQUIRED, [None, *NOTHING], number=len(REQUIRED)),
)


def instead(cell: str | None) -> Callable[[Any], Any]:
    return lambda _: cell


EVERY_WORD_FOR_NOTHING = [
    Damage(
        table=table,
        column=column,
        spell=instead(word),
        accounts=frozenset(ACCOUNTS[2 * number : 2 * number + 2]),
        counted=None if (table, column) in EMPTY else "missing",
        share=0.7,
        empty=(table, column) in EMPTY,
    )
    for number, ((table, column), word) in enumerate(zip([*REQUIRED, *EMPTY], cycle([None, *NOTHING]), strict=False))
]
SAME_TEXT = damages(None, TEXTS, SAME_TEXTS, number=8)


@examples(3)
@given(found=together(TIME_DAMAGE, NUMBER_DAMAGE, damages("disbelieved", NUMBERS, NOT_FINITE), SAME_TEXT))
def test_times_and_numbers_that_are_none_or_cannot_be_are_unknown_and_blanks_change_nothing(
    trial: Trial, found: list[Damage]
) -> None:
    trial.judge(found)


def test_words_for_nothing_are_nothing_and_missing_cells_are_counted(trial: Trial) -> None:
    trial.judge(EVERY_WORD_FOR_NOTHING)


def as_it_was(row: dict[str, Any], table: str) -> dict[str, Any]:
    return dict(row)


def older(row: dict[str, Any], table: str) -> dict[str, Any]:
    """An earlier version, with other contents; of a subscription the start is part of its key."""
    if table == "events":
        return row | {"received_at": row["received_at"] - timedelta(seconds=30), "name": "Signed In", "props": None}
    others = {"surveys": {"score": 0}, "subscriptions": {"mrr": 7777, "seats": 1}, "invoices": {"amount": 1}}
    return row | {"updated_at": row["updated_at"] - timedelta(days=1)} | others.get(table, {})


def with_blanks(row: dict[str, Any], table: str) -> dict[str, Any]:
    return row | {KEYS[table]: f"\u00a0{row[KEYS[table]]} "}


def test_rows_that_arrive_again_count_once(trial: Trial) -> None:
    data = company()
    repeats = {}
    for table in KEYS:
        rows = [row for row in data[table] if owner(table, row) in ACCOUNTS[::12]]
        more = [again(row, table) for row, again in zip(rows, cycle((as_it_was, older, with_blanks)), strict=False)]
        repeats[table] = len(more)
        data[table] = random.Random(0).sample([*data[table], *more], len(data[table]) + len(more))
    found = trial.measured(data)
    for table, number in repeats.items():
        findings = found.report.table(table)
        assert findings is not None
        assert abs(findings.repeats - number) < ONE_POINT * findings.rows
    assert found.refused == []
    trial.hold(found.accounts)


OTHER_ACCOUNTS: list[dict[str, Any]] = [
    {},
    {"employees": 9999},
    {"employees": 9999, "updated_at": AS_OF - timedelta(days=9)},
]
"""What a second row of an account says: the same, something else as of the same time, and something older."""


@pytest.mark.parametrize("twice", [ACCOUNTS[:5], ACCOUNTS[40:46]])
def test_an_account_that_stands_twice_is_the_newest_or_unknown(trial: Trial, twice: tuple[str, ...]) -> None:
    data = company()
    changes = dict(zip(twice, cycle(OTHER_ACCOUNTS), strict=False))
    again = [row | changes[row["account_id"]] for row in data["accounts"] if row["account_id"] in changes]
    data["accounts"] = [*again, *data["accounts"]]
    found = trial.measured(data)
    assert found.report.accounts_twice == len(twice)
    assert bool(found.refused) is (len(twice) > 5)
    if not found.refused:
        unknown = {account for account, change in changes.items() if len(change) == 1}
        trial.hold(found.accounts, dict.fromkeys(unknown, ("account.employees",)))
        assert {found.accounts[account]["account.employees"] for account in unknown} == {None}


def test_rows_of_nobody_are_counted_and_left_out(trial: Trial) -> None:
    data, kept = company(), company()
    accounts = ACCOUNTS[:40:10]
    nobody = dict(zip([*KEYS, "memberships"], cycle(["org_7", "acme-1", None, "NULL"]), strict=False))
    lost = {}
    for table, name in nobody.items():
        damage = Damage(table=table, column="account_id", spell=instead(name), accounts=frozenset(accounts), share=0.5)
        lost[table] = damage.inflict(data)
        kept = without(kept, table, [row for row, same in zip(kept[table], data[table], strict=True) if row != same])
    found, wanted = trial.measured(data), trial.measured(kept)
    for table, rows in lost.items():
        findings = found.report.table(table)
        assert findings is not None
        (join,) = [join for join in findings.joins if join.other == "accounts"]
        counted = join.given - join.joined if nobody[table] not in {None, "NULL"} else join.blank
        assert abs(counted - len(rows)) < ONE_POINT * findings.rows
    assert found.refused == []
    assert found.accounts == wanted.accounts
    trial.hold({**found.accounts, **{account: trial.clean[account] for account in accounts}})


@examples(2)
@given(tables=st.sampled_from(["events", "tickets", "subscriptions"]), nobody=st.sampled_from(["org_{}", "{}-old"]))
def test_data_of_which_too_much_joins_nobody_is_refused(trial: Trial, tables: str, nobody: str) -> None:
    data = company()
    for row in data[tables]:
        if row["account_id"] in ACCOUNTS[:12]:
            row["account_id"] = nobody.format(row["account_id"])
    found = trial.measured(data)
    assert len(found.refused) == 1
    assert tables in found.refused[0]


def test_internal_and_deleted_people_are_in_no_number(trial: Trial) -> None:
    data, known = company(), company()
    gone = AS_OF - timedelta(days=1)
    changes: list[dict[str, Any]] = [{"is_internal": "yes"}, {"is_internal": "1"}, {"deleted_at": gone}]
    changed = dict(zip([f"{account}-u0" for account in ACCOUNTS[:45:5]], cycle(changes), strict=False))
    internal = {user for user, change in changed.items() if "is_internal" in change}
    for row in data["users"]:
        row |= changed.get(row["user_id"], {})
    found = trial.measured(data, [("users", "is_internal")]).accounts
    for table in ("memberships", "events"):
        known[table] = [row for row in known[table] if row["user_id"] not in internal]
    for row in known["events"]:  # what the deleted did still happened, by nobody who counts
        row |= {"user_id": None} if row["user_id"] in changed else {}
    for row in known["memberships"]:
        row |= {"removed_at": gone} if row["user_id"] in changed else {}
    known["users"] = [row for row in known["users"] if row["user_id"] not in changed]
    assert found == trial.measured(known).accounts
    trial.hold(found | {account: trial.clean[account] for account in ACCOUNTS if f"{account}-u0" in changed})


EVERYTHING = together(TIME_DAMAGE, NUMBER_DAMAGE, NO_VALUE, SAME_TEXT)


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "csv", "parquet"])
def test_other_databases_are_damaged_alike(
    request: pytest.FixtureRequest, tmp_path: Path, trial: Trial, kind: str
) -> None:
    """Of the accounts that are not damaged, each has the numbers that DuckDB has of the clean company."""
    url = request.getfixturevalue("postgres_url") if kind == "postgres" else ""
    other = Trial(Database(kind, tmp_path, url), trial.clean)

    @examples(1)
    @given(damaged=EVERYTHING)
    def holds(damaged: list[Damage]) -> None:
        other.judge(damaged)

    holds()
