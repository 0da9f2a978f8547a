"""Properties that a signal needs as numbers or flags: those that are none are counted, as cells of a column are."""

from __future__ import annotations

from typing import Any

from tests.integration.signals.signals_kit import Database, at, product_of, signals_of
from worker.signals.compute import compute
from worker.signals.property_kinds import typed_properties
from worker.signals.source import open_source

AS_OF = at("2026-03-10T06:00")
SIGNALS = signals_of("""
event_lists: {paid: [Paid]}
signals:
  paid: {label: x, from: events, measure: sum, column: props.amount, events: paid}
  large: {label: x, from: events, measure: count, where: {props.size: {at_least: 3}}}
  plans: {label: x, from: events, measure: count, where: {props.plan: pro}}
""")
PROPS: list[tuple[str, dict[str, Any]]] = [
    ("Paid", {"amount": "5,5", "size": 4}),
    ("Paid", {"amount": 5.5, "size": "large"}),
    ("Paid", {"amount": "5.5", "size": "3", "plan": "pro"}),
    ("Paid", {"amount": "-", "size": None}),
    ("Refused", {"amount": "nothing to pay", "size": True}),
]


def test_properties_that_are_no_numbers_are_counted_where_numbers_are_needed(database: Database) -> None:
    events = [
        {"account_id": f"a{place}", "name": name, "occurred_at": at("2026-03-09"), "props": props}
        for place, (name, props) in enumerate(PROPS)
    ]
    tables: dict[str, Any] = {"accounts": [{"account_id": row["account_id"]} for row in events], "events": events}
    database.fill(tables)
    product = product_of(database.source, tables)
    with open_source(product, database.folder, AS_OF, {}, typed_properties(SIGNALS)) as source:
        report = source.report(AS_OF)
        found = compute(source, product, SIGNALS, [], AS_OF)
    assert [said for table, said in report.remarks() if table == "events"] == [
        '1 of 5 rows (20 %) have a props.amount that cannot be read, such as "5,5"',
        '2 of 5 rows (40 %) have a props.size that cannot be read, such as "large"',
    ]
    assert [found[f"a{place}"]["paid"] for place in range(5)] == [None, 5.5, 5.5, None, 0]
    assert [found[f"a{place}"]["large"] for place in range(5)] == [1, None, 1, 0, None]


def test_a_property_is_a_number_or_flag_in_the_events_of_the_signals_that_need_one() -> None:
    signals = signals_of("""
    event_lists: {}
    same_event: {Paid: [paid]}
    signals:
      a: {label: x, from: events, measure: sum, column: props.amount, events: [paid]}
      b: {label: x, from: events, measure: average, column: props.amount, events: [Bought]}
      c: {label: x, from: events, measure: sum, column: props.size, events: [Paid]}
      d: {label: x, from: events, measure: share, that: {props.size: {below: 3}}}
      e: {label: x, from: events, measure: latest, column: props.plan}
      f: {label: x, from: events, measure: count, where: {props.trial: {is_not: true}}, events: [Bought]}
      g: {label: x, from: events, measure: share, that: {props.team: [true]}}
      h: {label: x, from: events, measure: count, where: {props.either: [true, maybe]}}
    """)
    assert typed_properties(signals) == {
        ("props.amount", "number"): {"Paid", "Bought"},
        ("props.size", "number"): frozenset(),
        ("props.trial", "flag"): {"Bought"},
        ("props.team", "flag"): frozenset(),
    }


FLAGS: dict[Any, int | None] = {
    **dict.fromkeys(["true", "Yes", " on", "ENABLED", "1", True, 1.0], 1),
    **dict.fromkeys(["false", "n", "off", "Disabled", "0", 0.0, None, "", "-"], 0),
    **dict.fromkeys(["Ja", "paid", 7], None),
}


def test_properties_that_are_no_flags_are_counted_where_flags_are_needed(database: Database) -> None:
    of = {"name": "Paid", "occurred_at": at("2026-03-09")}
    events = [of | {"account_id": f"a{place}", "props": {"paid": cell}} for place, cell in enumerate(FLAGS)]
    tables: dict[str, Any] = {"accounts": [{"account_id": row["account_id"]} for row in events], "events": events}
    database.fill(tables)
    product = product_of(database.source, tables)
    signals = signals_of("""
    signals:
      paid: {label: x, from: events, measure: count, where: {props.paid: true}}
      text: {label: x, from: events, measure: count, where: {props.paid: [true, ja]}}
    """)
    with open_source(product, database.folder, AS_OF, {}, typed_properties(signals)) as source:
        remarks = [sentence for table, sentence in source.report(AS_OF).remarks() if table == "events"]
        found = compute(source, product, signals, [], AS_OF)
    assert {cell: found[f"a{place}"]["paid"] for place, cell in enumerate(FLAGS)} == FLAGS
    assert found[f"a{list(FLAGS).index('Ja')}"]["text"] == 1
    assert len(remarks) == 1
    assert remarks[0].startswith(f"3 of {len(FLAGS)} rows")
    assert 'have a props.paid that cannot be read, such as "' in remarks[0]
