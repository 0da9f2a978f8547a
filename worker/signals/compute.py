"""Product data → one row of measurements per account, as of a moment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from worker.language.need import Need
from worker.language.values import Value
from worker.settings.product import ProductSettings
from worker.settings.product_schema import kind_of
from worker.settings.signals import SignalsSettings
from worker.signals.accounts import account_values, one_account
from worker.signals.compile import ColumnMeasurement, Query, compile_query
from worker.signals.decode import by_kind, number, turned
from worker.signals.event_health import is_unknown, may_be_absent
from worker.signals.measurements import Measurement, measurements_of, missing_mapping, properties_of
from worker.signals.source import Source

_ASKED_IN_SQL = 200
"""More account ids than this are picked out afterwards: databases limit the parameters of a query."""


def compute(
    source: Source,
    product: ProductSettings,
    signals: SignalsSettings,
    extra: Iterable[Need],
    as_of: datetime,
    accounts: Collection[str] | None = None,
) -> dict[str, dict[str, Value]]:
    """Account id → everything known of it at ``as_of`` (aware), from one query.

    The names are ``account.*``, the signals, and the functions of events in ``extra`` under their canonical text.
    What needs a table or column that is not mapped is None for every account; no rows in a mapped table are a true
    zero where rows are counted or summed. Where the tables have been looked at, what reads events that never occurred
    or have stopped, or a property that no event has, is None too. Rows after ``as_of``, or that arrived after it, do
    not count. ``accounts`` limits the answer to some ids. Raises SourceError.
    """
    measurements = measurements_of(signals, extra, as_of, product.zone)
    absent = may_be_absent(signals)
    measured = [
        measurement
        for measurement in measurements
        if missing_mapping(measurement, source.catalogue) is None
        and not (source.found and is_unknown(measurement, source.found, absent))
        and not (source.found and any(not source.occurs(prop) for prop in properties_of(measurement) - absent))
    ]
    unknown: dict[str, Value] = {measurement.name: None for measurement in measurements}
    wanted = None if accounts is None else frozenset(accounts)
    in_sql = wanted if wanted is not None and len(wanted) <= _ASKED_IN_SQL else None
    query = compile_query(source.catalogue, measured, as_of, in_sql)
    rows: dict[str, list[Sequence[Any]]] = {}
    for row in source.engine.run(query.statement):
        if wanted is None or str(row[0]) in wanted:
            rows.setdefault(str(row[0]), []).append(row)
    kept: dict[str, dict[str, Value]] = {}
    for account_id, same in rows.items():
        values = account_values(product, one_account([_own_columns(query, row) for row in same]), as_of)
        if values is not None:
            kept[account_id] = values | unknown | _measured(query, same[0], as_of)
    for fields in kept.values():
        for name, signal in signals.signals.items():
            if signal.of is not None:
                fields[name] = number_or_none(signal.of.value(fields))
    return kept


def _own_columns(query: Query, row: Sequence[Any]) -> dict[str, Value]:
    columns = zip(query.account_columns, row, strict=False)
    return {name: by_kind(value, kind) for (name, kind), value in columns}


def _measured(query: Query, row: Sequence[Any], as_of: datetime) -> dict[str, Value]:
    """What is measured of one account; unknown where rows that might count cannot be read."""
    doubted = {name for name, positions in query.doubts.items() if any(row[position] for position in positions)}
    return {
        answer.measurement.name: None if answer.measurement.name in doubted else _value(answer, row, as_of)
        for answer in query.answers
    }


def _value(answer: ColumnMeasurement, row: Sequence[Any], as_of: datetime) -> Value:
    measurement = answer.measurement
    value = answer.finish([row[position] for position in answer.positions])
    value = by_kind(value, _kind(measurement))
    if measurement.turn is not None:
        value = turned(value, measurement.turn, as_of)
    unknown = measurement.measure == "top" and row[answer.positions[1]] is not None
    return measurement.when_none if value is None and not unknown else value


def _kind(measurement: Measurement) -> str:
    if measurement.measure in {"first", "last"}:
        return "time"
    if measurement.measure in {"latest", "top"}:
        return (
            "props"
            if str(measurement.column).startswith("props.")
            else str(kind_of(measurement.table, str(measurement.column)))
        )
    return "text" if measurement.measure == "top_user" else "flag" if measurement.measure == "ever" else "number"


def number_or_none(value: Value) -> Value:
    """What an expression over signals gives, as a tidy number; a text or date stays what it is."""
    return number(value) if isinstance(value, float) else value
