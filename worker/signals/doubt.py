"""Which accounts have rows that might count, if only their cells could be read or believed.

What is measured of such an account is unknown: a number without these rows would be wrong. Where all columns are
sound nothing is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from worker.settings.product_schema import COMPUTED, SCHEMA, kind_of
from worker.settings.signals import OF_NUMBERS, PropertyKind, needed_kind
from worker.signals.constructs import Column
from worker.signals.deleted_people import may_be_deleted, may_be_internal
from worker.signals.mapped_table import MappedTable
from worker.signals.measurements import OF_PEOPLE, Measurement
from worker.signals.members import unsure
from worker.signals.reading.texts import IdText
from worker.signals.rows import before, in_force, known_by, not_before, not_over, owes_something, passes, started
from worker.signals.scan import QueryScope
from worker.signals.snapshots import AGAIN, with_again
from worker.signals.windows import Window

_OF_MEMBERS = frozenset({"roles", "top_user"})
_INTERNAL, _DELETED, _OTHER_STATE = "s_may_be_internal", "s_may_be_deleted", "s_may_be_in_another_state"
_ADDED_UP = frozenset({"count", "sum", "average", "share"})
_ORDER_OF_TOP = ("tier_rank", "mrr")


@dataclass(frozen=True, slots=True)
class _Part:
    """One condition of a row, and whether the cells it reads are in doubt."""

    holds: Column | None
    """None: for every row."""
    doubt: Column | None


def doubt_rows(
    scope: QueryScope, measurements: Sequence[Measurement]
) -> tuple[sa.Select[Any], list[Measurement]] | None:
    """Per account, 1 for every measurement of one table that is in doubt, and the measurements in this order.

    None when every column they read is sound.
    """
    table = with_again(_with_shared(scope, _as_mapped(scope, measurements[0].table)))
    asked = [(measurement, _in_doubt(scope, table, measurement)) for measurement in measurements]
    columns = [(measurement, doubt) for measurement, doubt in asked if doubt is not None]
    if not columns:
        return None
    found = _flags(scope, table, [doubt for _, doubt in columns])
    if table.name == "events":
        found = found.where(*known_by(table, scope.catalogue, scope.as_of))
    return found, [measurement for measurement, _ in columns]


def doubt_members(
    scope: QueryScope, measurements: Sequence[Measurement]
) -> tuple[sa.Select[Any], list[Measurement]] | None:
    """As `doubt_rows`, for what is measured of other tables and asks who is a member, and in which role.

    A membership is in doubt when nobody can say whose it is, or from when to when.
    """
    asked = [measurement for measurement in measurements if measurement.measure in _OF_MEMBERS]
    if not asked or scope.catalogue.table("memberships") is None:
        return None
    table = _as_mapped(scope, "memberships")
    cells = _doubt(table, [name for name in ("user_id", "added_at", "removed_at") if table.has(name)])
    doubt = _either(cells, unsure(table))
    role = _doubt(table, ["role"])
    doubts = [(one, _either(doubt, role if one.measure == "roles" else None)) for one in asked]
    found = [(one, doubt) for one, doubt in doubts if doubt is not None]
    if not found:
        return None
    return _flags(scope, table, [doubt for _, doubt in found]), [one for one, _ in found]


def _as_mapped(scope: QueryScope, name: str) -> MappedTable:
    """The table with its cells as they are: what is worked out of them hides their faults."""
    table, mapped = scope.table(name), scope.catalogue.table(name)
    if mapped is None:
        return table
    return replace(table, columns={**table.columns, **mapped.columns}, sound=mapped.sound)


def _with_shared(scope: QueryScope, table: MappedTable) -> MappedTable:
    """The table with a column for each doubt that many measurements share: about its person, and about its state."""
    doubts = {_INTERNAL: may_be_internal(scope.catalogue, table), _DELETED: may_be_deleted(scope, table)}
    if table.name in COMPUTED:
        doubts[_OTHER_STATE] = _either(*(table.doubtful(name) for name in _made_of(table)))
    columns = [doubt.label(name) for name, doubt in doubts.items() if doubt is not None]
    if not columns:
        return table
    return replace(table, rows=sa.select(*table.rows.c, *columns).select_from(table.rows).subquery("s_doubted"))


def _either(*doubts: Column | None) -> Column | None:
    known = [doubt for doubt in doubts if doubt is not None]
    return sa.or_(*known) if known else None


def _flags(scope: QueryScope, table: MappedTable, doubts: Sequence[Column]) -> sa.Select[Any]:
    """Per account, 1 for every doubt that any of its rows raises."""
    flags = [sa.func.max(sa.case((doubt, 1), else_=0)) for doubt in doubts]
    account = table.raw("account_id")
    found = sa.select(IdText(account, table.kind("account_id")), *flags).select_from(table.rows)
    if scope.accounts is not None:
        found = found.where(table.id("account_id").in_(sorted(scope.accounts)))
    return found.where(account.is_not(None)).group_by(account)


def _in_doubt(scope: QueryScope, table: MappedTable, measurement: Measurement) -> Column | None:
    parts = list(_parts(scope, table, measurement))
    doubts = [part.doubt for part in parts if part.doubt is not None]
    if not doubts:
        return None
    might = [_either(part.holds, part.doubt) for part in parts if part.holds is not None]
    return sa.and_(*(sa.func.coalesce(one, sa.false()) for one in (*might, sa.or_(*doubts))))


def _parts(scope: QueryScope, table: MappedTable, measurement: Measurement) -> Iterator[_Part]:
    if measurement.events is not None:
        yield _Part(table.text("name").in_(measurement.events), _doubt(table, ["name"]))
    for column, test in (*measurement.where, *measurement.that):
        holds = passes(table, column, test, scope.as_of)
        # "that" divides the rows: those for which it does not hold count too.
        doubt = _doubt_of_kind(table, column, needed_kind(test))
        yield _Part(holds if (column, test) in measurement.where else None, doubt)
    if measurement.at is not None and table.has(measurement.at) and measurement.by_time:
        whose = unsure(table) if measurement.at in SCHEMA[table.name].until else None
        doubt = _doubt(table, [measurement.at], measurement.window)
        yield _Part(_in_window(table, measurement), _either(doubt, whose))
    if measurement.current:
        yield from _in_force(scope, table)
    elif not measurement.by_time:
        yield _Part(started(table, scope.as_of), _doubt_of_start(scope, table))
    yield _Part(None, _doubt_of_value(table, measurement))
    if measurement.measure in _ADDED_UP and AGAIN in table.rows.c:
        yield _Part(None, table.rows.c[AGAIN] == 1)
    yield _Part(None, _either(unsure(table), table.rows.c.get(_INTERNAL), table.differs("account_id")))
    if measurement.measure in OF_PEOPLE:
        yield _Part(None, _either(_doubt(table, ["user_id"]), table.rows.c.get(_DELETED)))


def _in_force(scope: QueryScope, table: MappedTable) -> Iterator[_Part]:
    """The start and the end of a row each by itself: one that is over is over, whenever it started."""
    until = SCHEMA[table.name].until
    if table.name == "invoices" and table.has("amount"):
        yield _Part(owes_something(table), _doubt(table, ["amount"]))
    if table.name == "subscriptions" or len(until) != 1 or not table.has(until[0]):
        yield _Part(in_force(table, scope.as_of), _doubt_of_state(table))
    else:
        yield _Part(started(table, scope.as_of), _doubt_of_start(scope, table))
        yield _Part(not_over(table, scope.as_of), _doubt(table, [*until, "status"]))


def _doubt_of_start(scope: QueryScope, table: MappedTable) -> Column | None:
    """Whether a row that may have started by the moment of the query may also have started after it."""
    return _doubt(table, SCHEMA[table.name].since, Window(scope.as_of, scope.as_of))


def _doubt_of_value(table: MappedTable, measurement: Measurement) -> Column | None:
    if measurement.column is None or measurement.measure == "top_user":
        return None
    if measurement.measure in OF_NUMBERS:
        return _doubt_of_kind(table, measurement.column, "number")
    return _doubt(table, [measurement.column, *(_ORDER_OF_TOP if measurement.measure == "top" else ())])


def _doubt_of_kind(table: MappedTable, column: str, kind: PropertyKind | None) -> Column | None:
    """A property that has to be of ``kind`` is in doubt too where it says something else."""
    doubt = _doubt(table, [column])
    return doubt if kind is None or not column.startswith("props.") else _either(doubt, table.is_no(kind, column))


def _in_window(table: MappedTable, measurement: Measurement) -> Column:
    at = table.time(str(measurement.at))
    parts = [before(at, measurement.window.end)]
    if measurement.window.start is not None:
        parts.append(not_before(at, measurement.window.start))
    return sa.and_(*parts)


def _made_of(table: MappedTable) -> list[str]:
    """What the columns that are worked out are made of."""
    computed = COMPUTED.get(table.name, frozenset())
    times = [name for name in table.columns if kind_of(table.name, name) == "time" and name != "updated_at"]
    return [*(name for name in times if name not in computed), "status"]


def _doubt(table: MappedTable, columns: Sequence[str], window: Window | None = None) -> Column | None:
    """Whether any of ``columns`` is in doubt; a column that is worked out is in doubt with what it is made of.

    ``window`` is the one in which their times have to lie.
    """
    computed = COMPUTED.get(table.name, frozenset())
    names = [name for name in columns if name not in computed]
    of_state = None if computed.isdisjoint(columns) else _doubt_of_state(table, window)
    return _either(*(table.doubtful(name, window) for name in names), of_state)


def _doubt_of_state(table: MappedTable, window: Window | None = None) -> Column | None:
    """Whether any cell that the state of a row is made of is in doubt; without a window, `_with_shared` has asked."""
    if window is None and table.name in COMPUTED:
        return table.rows.c.get(_OTHER_STATE)
    return _either(*(table.doubtful(name, window) for name in _made_of(table)))
