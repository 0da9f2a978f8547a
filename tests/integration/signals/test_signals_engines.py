"""One product, the same answers from every engine: the traps that gave silent zeros and wrong days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.signals.signals_kit import Database, at, product_of, signals_of
from worker.language.need import Decay, Need
from worker.language.values import Value
from worker.signals.compute import compute
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")
NO_ROWS: dict[str, list[dict[str, Any]]] = {"accounts": [], "events": []}


USED = "signals: {used: {label: x, from: events, measure: count}}"


def event(account: str, user: str | None, name: str, when: str, **more: Any) -> dict[str, Any]:
    return {"account_id": account, "user_id": user, "name": name, "occurred_at": at(when), **more}


def measured(
    database: Database, tables: dict[str, Any], yaml: str, needs: list[Need] | None = None, **settings: Any
) -> dict[str, dict[str, Value]]:
    data = NO_ROWS | tables
    if not data["accounts"]:
        data["accounts"] = [{"account_id": "a"}, {"account_id": "idle"}]
    database.fill(data)
    product = product_of(database.source, data, **settings)
    with open_source(product, database.folder) as source:
        return compute(source, product, signals_of(yaml), needs or [], AS_OF)


def test_no_rows_in_a_mapped_table_are_zero_and_a_table_that_is_not_mapped_is_unknown(database: Database) -> None:
    found = measured(
        database,
        {"events": [event("a", "u", "Used", "2026-03-09")], "tickets": [], "surveys": []},
        """
        signals:
          used: {label: x, from: events, measure: count, window: 7d}
          ever: {label: x, from: events, measure: ever}
          open: {label: x, from: tickets, measure: count, current: true}
          nps: {label: x, from: surveys, measure: latest, column: score}
          nps_mean: {label: x, from: surveys, measure: average, column: score}
          mrr: {label: x, from: subscriptions, measure: sum, column: mrr, when_none: 0}
          seats: {label: x, from: memberships, measure: users}
          share: {label: x, of: used / seats}
          half: {label: x, of: used / open}
        """,
    )
    idle = found["idle"]
    assert (idle["used"], idle["ever"], idle["open"]) == (0, False, 0)
    assert (idle["nps"], idle["nps_mean"]) == (None, None)
    assert (found["a"]["mrr"], found["a"]["seats"], found["a"]["share"], found["a"]["half"]) == (None, None, None, None)


def test_a_user_id_belongs_to_its_account_only(database: Database) -> None:
    events = [event("a", "1", "Used", "2026-03-09"), event("idle", "1", "Used", "2026-03-09")]
    found = measured(database, {"events": events}, "signals: {u: {label: x, from: events, measure: users, window: 7d}}")
    assert [found[account]["u"] for account in ("a", "idle")] == [1, 1]


def test_text_that_is_no_number_is_unknown_never_zero(database: Database) -> None:
    amounts: list[Any] = ["n/a", "12.5", " 7 ", "1,5", None, True, "", 3, "inf", "-inf", "NaN", ".5", "+4"]
    rows = [event("a", "u", "Paid", "2026-03-09", props={"amount": amount}) for amount in amounts]
    rows.append(event("idle", "u", "Paid", "2026-03-09", props={"amount": "n/a"}))
    found = measured(
        database,
        {"events": rows},
        """
        signals:
          sum: {label: x, from: events, measure: sum, column: props.amount}
          lowest: {label: x, from: events, measure: lowest, column: props.amount}
          latest: {label: x, from: events, measure: latest, column: props.amount}
        """,
    )
    assert (found["a"]["sum"], found["a"]["lowest"]) == (None, None)
    assert (found["idle"]["sum"], found["idle"]["lowest"], found["idle"]["latest"]) == (None, None, "n/a")


def test_true_in_json_is_not_the_number_one_and_a_missing_key_is_no_empty_text(database: Database) -> None:
    props: list[Any] = [{"beta": True}, {"beta": False}, {"beta": 1}, {}, None, {"beta": None}, {"beta": ""}]
    rows = [event("a", "u", "Used", "2026-03-09", props=one) for one in props]
    found = measured(
        database,
        {"events": rows},
        """
        signals:
          beta: {label: x, from: events, measure: count, where: {props.beta: true}}
          sum: {label: x, from: events, measure: sum, column: props.beta}
          empty: {label: x, from: events, measure: count, where: {props.beta: ""}}
          missing: {label: x, from: events, measure: count, where: {props.beta: {known: false}}}
        """,
    )
    assert [found["a"][name] for name in ("beta", "sum", "empty", "missing")] == [2, None, 1, 3]


def test_days_are_those_of_the_configured_zone_whatever_the_session_says(database: Database) -> None:
    # One day in UTC, two in Berlin, where the window of nine days begins and ends an hour earlier.
    rows = [event("a", "u", "Used", f"2026-02-28T{when}") for when in ("22:30", "23:30")]
    rows += [event("a", "u", "Used", f"2026-03-09T{when}") for when in ("22:59", "23:00")]
    signals = """
    signals:
      d: {label: x, from: events, measure: days}
      w: {label: x, from: events, measure: count, window: 9d}
      today: {label: x, from: events, measure: count, window: today}
    """
    in_utc = measured(database, {"events": rows}, signals)["a"]
    in_berlin = measured(database, {"events": rows}, signals, time_zone="Europe/Berlin")["a"]
    assert (in_utc["d"], in_utc["w"], in_utc["today"]) == (2, 2, 0)
    assert (in_berlin["d"], in_berlin["w"], in_berlin["today"]) == (4, 2, 1)


def test_the_future_does_not_count_and_neither_does_what_had_not_arrived(database: Database) -> None:
    rows = [
        event("a", "u1", "Used", "2026-03-10T05:59:59.999999"),
        event("a", "u2", "Used", "2026-03-10T06:00"),
        event("a", "u3", "Used", "2026-03-11"),
        event("a", "u4", "Used", "2026-03-09", received_at=at("2026-03-10T06:00:00.000001")),
        event("a", "u5", "Used", "2026-03-09", received_at=AS_OF),
    ]
    needs = [Need("count", "Used", 7), Need("users", "Used", 14), Need("days_since", "Used"), Need("count", "it's", 7)]
    needs.append(Need("first", "Used"))
    today = "signals: {today: {label: x, from: events, measure: count, window: today}}"
    found = measured(database, {"events": rows}, today, needs)
    assert found["a"]["today"] == 1
    assert found["a"]["count(Used, 7d)"] == 1
    assert found["a"]["users(Used, 14d)"] == 1
    assert found["a"]["days_since(Used)"] == 0
    assert found["a"][needs[3].key] == 0
    assert found["idle"]["days_since(Used)"] is None
    assert found["a"]["first(Used)"] == at("2026-03-09")
    assert found["idle"]["first(Used)"] is None


def test_an_event_fades_by_its_age_and_a_day_counts_only_so_much(database: Database) -> None:
    # In Berlin the first of the 9th is still of the 9th, and the one at 23:30 UTC of the 10th, as the one at 04:00.
    times = ["2026-03-10T04:00", "2026-03-09T23:30", "2026-03-09T01:00", "2026-03-09T00:30", "2026-02-24T06:00"]
    rows = [event("a", "u", "Viewed", when) for when in times]
    need = Need("decayed", "Viewed", decay=Decay(timedelta(days=7), 1.5))
    found = measured(database, {"events": rows}, "signals: {}", [need], time_zone="Europe/Berlin")

    def faded(when: str, counts: float) -> float:
        return float(counts * 2 ** (-((AS_OF - at(when)) / timedelta(days=7))))

    days = [faded(times[1], 1) + faded(times[0], 0.5), faded(times[3], 1) + faded(times[2], 0.5), faded(times[4], 1)]
    assert found["a"][need.key] == pytest.approx(sum(days), rel=1e-9)
    assert found["idle"][need.key] == 0


def test_a_moment_in_the_past_sees_what_was_so_then(database: Database) -> None:
    """Closed later is open then, accepted later is pending, removed later is a member, paid later is overdue."""
    later, earlier = at("2026-03-12"), at("2026-03-01")
    found = measured(
        database,
        {
            "tickets": [
                {"account_id": "a", "severity": "Urgent", "opened_at": earlier, "closed_at": later},
                {"account_id": "a", "severity": "urgent", "opened_at": earlier, "closed_at": at("2026-03-02")},
                {"account_id": "a", "severity": "urgent", "opened_at": later, "closed_at": None},
            ],
            "invites": [{"account_id": "a", "sent_at": earlier, "accepted_at": later}],
            "memberships": [
                {"account_id": "a", "user_id": "u1", "role": "admin", "added_at": earlier, "removed_at": later},
                {"account_id": "a", "user_id": "u2", "role": "admin", "added_at": later, "removed_at": None},
            ],
            "invoices": [
                {"account_id": "a", "due_at": earlier, "paid_at": later, "amount": 10, "status": "paid"},
                {"account_id": "a", "due_at": at("2026-02-01"), "paid_at": None, "amount": 99, "status": "VOID"},
                {"account_id": "a", "due_at": later, "paid_at": None, "amount": 50, "status": "open"},
            ],
        },
        """
        signals:
          urgent: {label: x, from: tickets, measure: count, where: {severity: urgent}, current: true}
          pending: {label: x, from: invites, measure: count, current: true}
          accepted: {label: x, from: invites, measure: count, at: accepted_at, window: 28d}
          ever_accepted: {label: x, from: invites, measure: count, where: {accepted_at: {known: true}}}
          seats: {label: x, from: memberships, measure: users}
          overdue: {label: x, from: invoices, measure: sum, column: amount, current: true}
          overdue_days: {label: x, from: invoices, measure: first, current: true, as: days_since, when_none: 0}
        """,
    )
    names = ("urgent", "pending", "accepted", "ever_accepted", "seats", "overdue", "overdue_days")
    assert [found["a"][name] for name in names] == [1, 1, 0, 0, 1, 10, 9]
    assert found["idle"]["overdue_days"] == 0


def test_of_several_subscriptions_the_highest_tier_speaks_and_all_running_ones_are_paid(database: Database) -> None:
    def term(plan: str, tier: int, mrr: float | None, start: str, end: str | None, **more: Any) -> dict[str, Any]:
        dates = {"term_start": at(start), "term_end": at(end) if end else None}
        return {"account_id": "a", "plan": plan, "tier_rank": tier, "mrr": mrr, "seats": 5, **dates, **more}

    terms = [
        term("pro", 2, 100, "2026-01-01", "2026-04-01"),
        term("add-on", 0, 40, "2026-01-01", None),
        term("enterprise", 3, 900, "2026-04-01", None),
        term("starter", 1, 10, "2025-01-01", "2026-01-01"),
        {**term("trial", 1, 5, "2026-01-01", None), "account_id": "idle", "term_start": None},
    ]
    terms[-1] |= {"trial_start": at("2026-03-01"), "trial_end": at("2026-03-15")}
    found = measured(
        database,
        {"subscriptions": terms},
        """
        signals:
          plan: {label: x, from: subscriptions, measure: top, column: plan}
          mrr: {label: x, from: subscriptions, measure: sum, column: mrr}
          status: {label: x, from: subscriptions, measure: top, column: state, current: false}
          trial_end: {label: x, from: subscriptions, measure: top, column: trial_end}
          renewal: {label: x, from: subscriptions, measure: top, column: term_end, as: days_until}
        """,
    )
    assert (found["a"]["plan"], found["a"]["mrr"], found["a"]["status"], found["a"]["renewal"]) == (
        "pro",
        140,
        "active",
        22,
    )
    assert (found["idle"]["plan"], found["idle"]["status"]) == ("trial", "trialing")
    assert found["idle"]["trial_end"] == at("2026-03-15")


def test_a_trial_that_became_no_term_is_over_when_the_trial_is(database: Database) -> None:
    trial = {"account_id": "a", "plan": "trial", "status": "trialing", "trial_start": at("2026-02-01")}
    terms = [trial | {"trial_end": at("2026-03-01")}, trial | {"account_id": "idle", "trial_end": at("2026-03-11")}]
    found = measured(
        database,
        {"subscriptions": terms},
        """
        signals:
          plan: {label: x, from: subscriptions, measure: top, column: plan, when_none: unsubscribed}
          status: {label: x, from: subscriptions, measure: top, column: state, current: false}
        """,
    )
    assert [(found[name]["plan"], found[name]["status"]) for name in ("a", "idle")] == [
        ("unsubscribed", "ended"),
        ("trial", "trialing"),
    ]


def test_between_two_terms_that_meet_exactly_one_is_running(database: Database) -> None:
    terms = [
        {"account_id": "a", "plan": "old", "mrr": 1, "term_start": at("2026-02-10"), "term_end": AS_OF},
        {"account_id": "a", "plan": "new", "mrr": 2, "term_start": AS_OF, "term_end": at("2026-04-10")},
    ]
    yaml = """
    signals:
      plan: {label: x, from: subscriptions, measure: top, column: plan}
      n: {label: x, from: subscriptions, measure: count}
    """
    found = measured(database, {"subscriptions": terms}, yaml)["a"]
    assert (found["plan"], found["n"]) == ("new", 1)


def test_the_best_contact_is_there_may_be_written_to_and_is_not_one_of_us(database: Database) -> None:
    people = ["staff", "refused", "left", "nameless", "gone", "second", "third"]
    events = [
        event("a", user, "Used", "2026-03-09T10:00")
        for index, user in enumerate(people)
        for _ in range(len(people) - index)
    ]
    users: list[dict[str, Any]] = [
        {"user_id": user, "email": f"{user}@x.org", "is_internal": user == "staff"} for user in people
    ]
    users[1]["opted_out"] = True
    users[3]["email"] = " "
    users[4]["deleted_at"] = at("2026-03-09")
    members = [
        {"account_id": "a", "user_id": "left", "added_at": at("2026-01-01"), "removed_at": at("2026-03-09T11:00")}
    ]
    found = measured(
        database,
        {"events": events, "users": users, "memberships": members},
        """
        signals:
          email: {label: x, from: events, measure: top_user, column: email, window: 28d}
          share: {label: x, from: events, measure: top_user_share, window: 28d}
          n: {label: x, from: events, measure: count}
        """,
    )
    assert found["a"]["email"] == "second@x.org"
    assert found["a"]["n"] == 21  # without our own
    assert found["a"]["share"] == pytest.approx(6 / 18)  # nor is one who is deleted active
    assert (found["idle"]["email"], found["idle"]["share"]) == (None, None)


def test_seats_are_held_by_neither_our_own_nor_deleted_people(database: Database) -> None:
    users = [
        {"user_id": "ours", "is_internal": True},
        {"user_id": "deleted", "deleted_at": at("2026-03-09")},
        {"user_id": "deleted", "deleted_at": at("2026-03-08")},
        {"user_id": "deleted later", "deleted_at": at("2026-03-11")},
        {"user_id": "here"},
    ]
    members: list[dict[str, Any]] = [
        {"account_id": "a", "user_id": user, "role": "admin", "added_at": at("2026-01-01")}
        for user in ("ours", "deleted", "deleted later", "here", "in no table")
    ]
    yaml = """
        signals:
          seats: {label: x, from: memberships, measure: users}
          admins: {label: x, from: memberships, measure: count, where: {role: admin}}
          added: {label: x, from: memberships, measure: count, current: false}
          left: {label: x, from: memberships, measure: count, at: removed_at, window: 7d, current: false}
        """
    found = measured(database, {"users": users, "memberships": members}, yaml)["a"]
    assert found == found | {"seats": 3, "admins": 3, "added": 4, "left": 1}
    everyone = measured(database, {"users": users, "memberships": members}, yaml, exclude={"internal": False})["a"]
    assert everyone == everyone | {"seats": 4, "admins": 4, "added": 5, "left": 1}


def test_our_own_test_and_deleted_accounts_are_left_out(database: Database) -> None:
    accounts = [
        {"account_id": "a", "domain": "a.org", "is_internal": False, "created_at": at("2026-03-01T12:00")},
        {"account_id": "unsure", "is_internal": None},
        {"account_id": "ours", "is_internal": True},
        {"account_id": "listed", "is_internal": False},
        {"account_id": "domain", "domain": "Example.com "},
        {"account_id": "address", "domain": "https://www.Example.com/about"},
        {"account_id": "deleted", "deleted_at": at("2026-03-10T06:00")},
        {"account_id": "deleted later", "deleted_at": at("2026-03-10T06:01")},
        {"account_id": "tomorrow", "created_at": at("2026-03-11")},
        {"account_id": None},
    ]
    exclude = {"accounts": ["listed"], "domains": ["example.com"]}
    found = measured(database, {"accounts": accounts}, "signals: {}", exclude=exclude)
    assert set(found) == {"a", "unsure", "deleted later"}
    assert found["a"]["account.age_days"] == 8
    assert found["a"]["account.is_internal"] is False
    assert found["unsure"]["account.is_internal"] is False  # everybody of ours is listed
    assert found["deleted later"]["account.deleted_at"] is None
    assert measured(database, {"accounts": accounts}, "signals: {}")["unsure"]["account.is_internal"] is None
    everyone = measured(database, {"accounts": accounts}, "signals: {}", exclude={"internal": False, "deleted": False})
    assert {"ours", "deleted", "domain"} <= set(everyone)


def test_asking_for_some_accounts_gives_exactly_their_part_of_the_whole(database: Database) -> None:
    accounts = [{"account_id": name} for name in ("a", "O'Hara", "7")]
    events = [event(name, f"u{n}", "Used", "2026-03-09") for name in ("a", "O'Hara", "7") for n in range(3)]
    data = {"accounts": accounts, "events": events}
    database.fill(data)
    product = product_of(database.source, data)
    signals = signals_of(
        """
        signals:
          u: {label: x, from: events, measure: users}
          d: {label: x, from: events, measure: days}
        """
    )
    with open_source(product, database.folder) as source:
        everyone = compute(source, product, signals, [], AS_OF)
        some = compute(source, product, signals, [], AS_OF, ["O'Hara", "7", "nobody"])
        many = compute(source, product, signals, [], AS_OF, ["a", *map(str, range(10_000, 11_000))])
    assert some == {name: everyone[name] for name in ("O'Hara", "7")}
    assert many == {"a": everyone["a"]}


def test_where_the_rows_of_an_account_differ_it_is_unknown(database: Database) -> None:
    rows = [
        {"account_id": "a", "name": "Acme", "domain": "a.org"},
        {"account_id": "a", "name": "Acme Inc", "domain": "a.org"},
    ]
    found = measured(database, {"accounts": rows, "events": [event("a", "u", "Used", "2026-03-09")]}, USED)["a"]
    assert (found["account.name"], found["account.domain"], found["used"]) == (None, "a.org", 1)


def test_members_and_accounts_can_come_from_the_events(database: Database) -> None:
    rows = [
        event("a", "u1", "Used", "2026-03-01"),
        event("a", "u1", "Used", "2026-03-05"),
        event("a", "u2", "Used", "2026-03-08"),
        event("b", None, "Used", "2026-03-02"),
        event("later", "u", "Used", "2026-03-11"),
    ]
    yaml = """
    signals:
      m: {label: x, from: memberships, measure: users}
      j: {label: x, from: memberships, measure: count, window: 7d, current: false}
    """
    mapping = {"accounts": {"from": "events"}, "memberships": {"from": "events"}}
    found = measured(database, {"events": rows}, yaml, mapping=mapping)
    assert set(found) == {"a", "b"}
    assert (found["a"]["m"], found["a"]["j"], found["a"]["account.created_at"]) == (2, 1, at("2026-03-01"))
    assert (found["b"]["m"], found["b"]["account.age_days"]) == (0, 8)


def test_other_names_other_types_and_reserved_words_map_by_yaml_alone(database: Database, tmp_path: Path) -> None:
    events = '"user" DOUBLE PRECISION, "group" DOUBLE PRECISION, "event" VARCHAR(40), "ts" VARCHAR(40)'
    create = [
        'CREATE TABLE "Group" ("select" BIGINT, "Registered At" DATE, "channel" VARCHAR(20))',
        "INSERT INTO \"Group\" VALUES (7, '2026-03-01', 'web'), (8, NULL, NULL)",
        f'CREATE TABLE "track s" ({events})',
        "INSERT INTO \"track s\" VALUES (1, 7, '50% off: used?', '2026-03-09T01:00:00+02:00')",
        "INSERT INTO \"track s\" VALUES (2, 7, '50% off: used?', '2026-03-09'), (3, 9, '50% off: used?', 'n/a')",
    ]
    database.execute(create)
    columns = {"account_id": "group", "user_id": "user", "name": "event", "occurred_at": "ts"}
    query = "SELECT * FROM \"track s\" WHERE 'a:b' <> '%x' -- all of them"
    product = product_of(
        database.source,
        [],
        mapping={
            "accounts": {
                "table": "Group",
                "columns": {"account_id": "select", "created_at": "Registered At"},
                "extra": {"via": "channel"},
            },
            "events": {"query": query, "columns": columns},
        },
    )
    signals = signals_of(
        """
        signals:
          u: {label: x, from: events, measure: users, events: ['50% off: used?'], window: 7d}
          f: {label: x, from: events, measure: first}
        """
    )
    with open_source(product, tmp_path) as source:
        found = compute(source, product, signals, [], AS_OF)
    assert set(found) == {"7", "8"}
    assert found["7"]["u"] == 2
    assert found["7"]["f"] == datetime(2026, 3, 8, 23, tzinfo=UTC)
    assert (found["7"]["account.via"], found["7"]["account.age_days"], found["8"]["account.via"]) == ("web", 9, None)
