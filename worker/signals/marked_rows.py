"""Rows that the source says do not count, in a column that nothing maps: they count, and the data report says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from worker.settings.product_schema import AMOUNTS, SCHEMA, kind_of, mappable
from worker.signals.constructs import Column, MomentLiteral
from worker.signals.engines import Engine
from worker.signals.mapped_table import MappedTable
from worker.signals.row_marks import (
    CANCELLED,
    DELETED,
    HUNDREDTHS,
    INTERVALS,
    PAUSED,
    REPLACED,
    TEST,
    YEARLY,
    Mark,
    MarkedRows,
    mark_of,
    plain,
    type_beside,
)
from worker.signals.rows import by
from worker.signals.source_columns import MARK
from worker.signals.subscription_words import CANCELLED as CANCELLED_WORDS
from worker.signals.subscription_words import ENDED, NON_RENEWING
from worker.signals.table_columns import EARLIEST, folded

_ZERO = ("0", "0.0", "0000-00-00", "0000-00-00 00:00:00")
_MOST_KINDS, _LEAST_RATIO = 20, 6
_WITHOUT = "they count; map a query without them"


def marked_rows(engine: Engine, table: MappedTable, as_of: datetime) -> Iterator[MarkedRows]:
    """What the marks of ``table`` say of rows that count all the same. Raises SourceError."""
    read = replace(table, columns={**table.columns, **table.marks})
    there = _there(table, as_of)
    marks = [(key, mark) for key in table.marks if (mark := mark_of(table.name, table.marks[key].theirs)) is not None]
    marks = [(key, mark) for key, mark in marks if mark.what != REPLACED or not _has_newest(table)]
    tests = [sa.and_(there, _is_marked(read, key, mark, as_of), *_asked(table, mark)) for key, mark in marks]
    counts = _counted(engine, table, tests)
    for (key, mark), rows in zip(marks, counts, strict=True):
        if rows:
            remedy = _remedy(table, mark)
            yield MarkedRows(column=table.marks[key].theirs, what=mark.what, rows=rows, remedy=remedy)
    yield from _of_several_kinds(engine, read)
    if table.name == "subscriptions" and table.has("mrr"):
        yield from _yearly(engine, read, there)


def amount_in_hundredths(table: MappedTable) -> str | None:
    """The column of theirs with the amounts of ``table``, where its name says that they are in hundredths."""
    ours = AMOUNTS.get(table.name)
    if ours is None or ours not in table.columns:
        return None
    name = table.columns[ours].theirs
    return name if HUNDREDTHS.search(plain(name)) else None


def _counted(engine: Engine, table: MappedTable, tests: list[Column]) -> list[int]:
    if not tests:
        return []
    sums = [sa.func.sum(sa.case((test, 1), else_=0)) for test in tests]
    return [int(value or 0) for value in engine.run(sa.select(*sums).select_from(table.rows))[0]]


def _there(table: MappedTable, as_of: datetime) -> Column:
    """Whether nothing that is mapped says that the row is over, or about the product's own people."""
    ends = [name for name in ("deleted_at", "removed_at", "ended_at", "closed_at", "accepted_at") if table.has(name)]
    over = [sa.func.coalesce(by(table.time(name), as_of), sa.false()) for name in ends]
    internal = [sa.func.coalesce(table.flag("is_internal"), sa.false())] if table.has("is_internal") else []
    return sa.not_(sa.or_(sa.false(), *over, *internal))


def _asked(table: MappedTable, mark: Mark) -> list[Column]:
    """For a mark of cancelling: that no column which is mapped says that it was asked for."""
    if mark.what != CANCELLED:
        return []
    asked = [table.given("cancelled_at")] if table.has("cancelled_at") else []
    if table.has("status"):
        asked.append(sa.func.coalesce(table.word("status").in_([*NON_RENEWING, *CANCELLED_WORDS, *ENDED]), sa.false()))
    return [sa.not_(one) for one in asked]


def _has_newest(table: MappedTable) -> bool:
    """Whether of the versions of a row only the newest counts anyway."""
    schema = SCHEMA[table.name]
    key = {"accounts": "account_id", "users": "user_id"}.get(table.name) or next(iter(schema.key), "")
    return table.has(key) and table.has(schema.latest)


def _is_marked(table: MappedTable, key: str, mark: Mark, as_of: datetime) -> Column:
    if mark.how in {"true", "false"}:
        flag = table.flag(key)
        test: Column = flag if mark.how == "true" else sa.not_(flag)
    elif mark.how == "word":
        test = folded(table.text(key)).in_(sorted(mark.words))
    else:
        test = table.given(key)
        if table.kind(key) in {"text", "any", "number", "float"}:
            test = sa.and_(test, sa.cast(table.cell(key), sa.Text()).not_in(_ZERO))
    if mark.how == "past":
        moment = table.read_time(key)
        test = sa.case((moment.is_(None), test), else_=sa.and_(moment >= MomentLiteral(EARLIEST), by(moment, as_of)))
    return sa.func.coalesce(test, sa.false())


def _remedy(table: MappedTable, mark: Mark) -> str:
    if mark.what in {CANCELLED, PAUSED}:
        word = "non_renewing" if mark.what == CANCELLED else "paused"
        return f'they count as if not; map a query whose status is "{word}" there'
    ours = {DELETED: ("deleted_at", "removed_at") if mark.how == "past" else (), TEST: ("is_internal",)}
    fitting = ours.get(mark.what, ()) if mark.how != "false" else ()
    column = next((name for name in fitting if name in mappable(table.name) and not table.has(name)), None)
    return f"they count; map it as {column}" if column else _WITHOUT


def _of_several_kinds(engine: Engine, table: MappedTable) -> Iterator[MarkedRows]:
    """Ids of several kinds in one column, which a column beside them tells apart: 7 may be a person and a team."""
    theirs = {one.theirs: one for one in table.columns.values()}
    for ours, column in table.columns.items():
        beside = None if kind_of(table.name, ours) != "id" else type_beside(column.theirs, theirs)
        if beside is None or MARK + beside not in table.marks:
            continue
        kind = table.text(MARK + beside).label("k")
        kinds = sa.select(kind).select_from(table.rows).where(table.given(ours)).subquery("s_kinds")
        asked: sa.Select[Any] = sa.select(kinds.c.k, sa.func.count().label("n")).where(kinds.c.k.is_not(None))
        words = engine.run(asked.group_by(kinds.c.k).limit(_MOST_KINDS + 1))
        found = sorted(((int(rows), str(word)) for word, rows in words), reverse=True)
        if 1 < len(found) <= _MOST_KINDS:
            others = sum(rows for rows, _ in found[1:])
            what = f'not "{found[0][1]}"'
            remedy = f"{ours} holds ids of several kinds; map a query with one of them"
            yield MarkedRows(column=beside, what=what, rows=others, remedy=remedy)


def _yearly(engine: Engine, table: MappedTable, there: Column) -> Iterator[MarkedRows]:
    """Subscriptions that are paid by the year, where ``mrr`` is no column of amounts per month."""
    per_month = _is_per_month(table.columns["mrr"].theirs)
    plan = table.text("plan") if table.has("plan") else sa.literal("", sa.Text())
    for key in table.marks:
        if plain(table.marks[key].theirs) not in INTERVALS:
            continue
        yearly = sa.func.coalesce(folded(table.text(key)).in_(sorted(YEARLY)), sa.false())
        cells = sa.select(plan.label("p"), yearly.label("y"), table.number("mrr").label("m"))
        rows = cells.select_from(table.rows).where(there).subquery("s_intervals")
        price = [sa.func.avg(sa.case((test, rows.c.m))) for test in (rows.c.y, sa.not_(rows.c.y))]
        many = sa.func.sum(sa.case((sa.and_(rows.c.y, rows.c.m > 0), 1), else_=0))
        found = engine.run(sa.select(many, *price).group_by(rows.c.p))
        total = sum(int(number or 0) for number, _, _ in found)
        dear = any(year and month and float(year) >= _LEAST_RATIO * float(month) for _, year, month in found)
        if total and (dear or not per_month):
            remedy = "mrr is an amount per month; map a query that divides by 12"
            yield MarkedRows(column=table.marks[key].theirs, what="paid by the year", rows=total, remedy=remedy)


def _is_per_month(name: str) -> bool:
    """Whether the name of a column says that its amounts are per month."""
    return any(word in plain(name) for word in ("mrr", "month"))
