"""A deleted person is in no signal about people, whatever the person did before."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.signals.signals_kit import TYPES, Database, at, product_of, signals_of
from worker.signals.compute import compute
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")
ACTIVE = at("2026-03-05T12:00")
SIGNALS = signals_of("""
signals:
  seats: {label: x, from: memberships, measure: users}
  active: {label: x, from: events, measure: users, window: 28d}
  ever_active: {label: x, from: events, measure: users}
  days: {label: x, from: events, measure: user_days, window: 28d}
  top: {label: x, unit: text, from: events, measure: top_user, column: email, window: 28d}
  share: {label: x, from: events, measure: top_user_share, window: 28d}
  roles: {label: x, from: events, measure: roles, window: 28d}
  asked: {label: x, from: surveys, measure: users}
  answered: {label: x, from: surveys, measure: count}
  used: {label: x, from: events, measure: count, window: 28d}
  kinds: {label: x, from: events, measure: kinds, window: 28d}
  share_of_seats: {label: x, of: active / seats}
""")
TYPED = {table: {**columns, "user_id": "text"} for table, columns in TYPES.items()}
ROLES = {"gone": "admin", "here": "member", "later": "owner"}
DELETED = {"gone": at("2026-03-08"), "later": at("2026-03-12"), "elsewhere": at("2026-03-08")}


def _tables() -> dict[str, Any]:
    people = ["gone", "here", "later"]
    of = [{"account_id": "a", "user_id": person} for person in people]
    done = [one for one in of for _ in range(4 if one["user_id"] == "gone" else 1)]
    users = [
        {"user_id": one, "email": f"{one}@a.com", "deleted_at": DELETED.get(one)} for one in [*people, "elsewhere"]
    ]
    return {
        "accounts": [{"account_id": "a"}],
        "users": users,
        "memberships": [{**one, "role": ROLES[one["user_id"]], "added_at": at("2026-01-01")} for one in of],
        "events": [{**one, "name": "Used", "occurred_at": ACTIVE} for one in done],
        "surveys": [{**one, "kind": "nps", "score": 9, "responded_at": ACTIVE} for one in of],
    }


def _found(database: Database, tables: dict[str, Any], types: Any) -> dict[str, Any]:
    database.fill(tables, types)
    product = product_of(database.source, tables)
    with open_source(product, database.folder, AS_OF) as source:
        source.report(AS_OF)
        return compute(source, product, SIGNALS, [], AS_OF)["a"]


@pytest.mark.parametrize("with_account", [False, True], ids=["users without accounts", "users of accounts"])
def test_a_deleted_person_is_not_active_and_the_work_stays(database: Database, *, with_account: bool) -> None:
    tables, types = _tables(), TYPED
    if with_account:
        types = {**TYPED, "users": {**TYPED["users"], "account_id": "text"}}
        tables["users"] = [{**one, "account_id": "a"} for one in tables["users"]]
        tables["users"].append({"user_id": "here", "account_id": "b", "deleted_at": at("2026-03-01")})
    found = _found(database, tables, types)
    people = {"seats": 2, "active": 2, "ever_active": 2, "days": 2, "share": 0.5, "roles": 2, "asked": 2}
    assert found == found | people | {"top": "here@a.com", "share_of_seats": 1}
    assert found == found | {"answered": 3, "used": 6, "kinds": 1}


LEFT = signals_of(
    "signals: {left: {label: x, from: memberships, measure: count, at: removed_at, window: 28d, current: false}}"
)
BORN, GONE, BORN_AGAIN = at("2026-01-01"), at("2026-02-01"), at("2026-02-20")
AGAIN: dict[str, tuple[list[dict[str, Any]], int | None]] = {
    "created again": ([{"created_at": BORN, "deleted_at": GONE}, {"created_at": BORN_AGAIN}], 1),
    "of one age": ([{"created_at": BORN, "deleted_at": GONE}, {"created_at": BORN}], None),
    "of no age": ([{"deleted_at": GONE}, {}], None),
    "a newer one deleted": ([{"created_at": BORN}, {"created_at": at("2026-01-20"), "deleted_at": GONE}], None),
    "all deleted": ([{"created_at": BORN, "deleted_at": GONE}, {"deleted_at": at("2026-03-01")}], 0),
    "to be created again": ([{"created_at": BORN, "deleted_at": GONE}, {"created_at": at("2026-03-15")}], 0),
    "to be deleted": ([{"created_at": BORN, "deleted_at": at("2026-03-15")}, {"created_at": BORN}], 1),
    "over before": ([{"created_at": BORN_AGAIN, "deleted_at": GONE}], None),
}
LATEST: dict[str, tuple[list[dict[str, Any]], int | None]] = {
    "latest is there": ([{"deleted_at": GONE, "updated_at": GONE}, {"updated_at": BORN_AGAIN}], 1),
    "latest is deleted": ([{"updated_at": BORN}, {"deleted_at": GONE, "updated_at": GONE}], 0),
    "two are the latest": ([{"deleted_at": GONE, "updated_at": GONE}, {"updated_at": GONE}], None),
}


@pytest.mark.parametrize(("situations", "latest"), [(AGAIN, False), (LATEST, True)], ids=["by age", "by updated_at"])
def test_a_person_is_deleted_only_where_no_row_says_otherwise(
    database: Database, situations: dict[str, tuple[list[dict[str, Any]], int | None]], *, latest: bool
) -> None:
    users = [{"user_id": one, "email": f"{one}@a.com", **row} for one, (rows, _) in situations.items() for row in rows]
    tables: dict[str, Any] = {
        "accounts": [{"account_id": one} for one in situations],
        "users": users,
        "memberships": [{"account_id": one, "user_id": one} for one in situations],
        "events": [{"account_id": one, "user_id": one, "name": "Used", "occurred_at": ACTIVE} for one in situations],
    }
    times = {"created_at": "time", **({"updated_at": "time"} if latest else {})}
    database.fill(tables, {**TYPED, "users": {**TYPED["users"], **times}})
    product = product_of(database.source, tables)
    with open_source(product, database.folder, AS_OF) as source:
        said = [sentence for table, sentence in source.report(AS_OF).remarks() if table == "users"]
        found = compute(source, product, SIGNALS, [], AS_OF)
        left = compute(source, product, LEFT, [], AS_OF)
    right = {one: number for one, (_, number) in situations.items()}
    for signal in ("seats", "active", "days"):
        assert {one: found[one][signal] for one in situations} == right, signal
    assert {one: found[one]["used"] for one in situations} == dict.fromkeys(situations, 1)
    assert {one for one in situations if left[one]["left"] is None} == {one for one in right if right[one] is None}
    undecided = "deleted in one row of a person and not in another"
    assert [sentence for sentence in said if undecided in sentence] == [
        f"2 of 6 rows (33 %) contradict themselves: {undecided} (none is the latest)"
        if latest
        else f"6 of 15 rows (40 %) contradict themselves: {undecided} (map updated_at, then the latest counts)"
    ]


def test_nobody_knows_how_many_are_active_when_a_deletion_cannot_be_read(database: Database) -> None:
    tables = _tables()
    for one in tables["users"]:
        one["deleted_at"] = "yesterday" if one["user_id"] == "here" else None
    found = _found(database, tables, {**TYPED, "users": {**TYPED["users"], "deleted_at": "text"}})
    unknown = ["seats", "active", "ever_active", "days", "top", "share", "roles", "asked"]
    assert found == found | dict.fromkeys(unknown)
    assert found == found | {"answered": 3, "used": 6, "kinds": 1}


def test_nothing_is_known_of_rows_by_somebody_who_may_be_internal(database: Database) -> None:
    tables = _tables()
    for one in tables["users"]:
        one |= {"deleted_at": None, "is_internal": "perhaps" if one["user_id"] == "here" else "no"}
    types = {**TYPED, "users": {**TYPED["users"], "is_internal": "text"}}
    assert {*_found(database, tables, types).values()} & {0, 1, 2, 3, 6} == set()

    tables["events"] = [one for one in tables["events"] if one["user_id"] != "here"]
    found = _found(database, tables, types)
    assert found == found | {"used": 5, "kinds": 1, "ever_active": 2, "seats": None, "answered": None}
