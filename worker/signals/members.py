"""Who is a member: nobody of the product's own people, and nobody beyond the day the person was deleted."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from worker.signals.constructs import Column
from worker.signals.mapped_table import MappedTable
from worker.signals.mapping import Catalogue
from worker.signals.rows import same_person
from worker.signals.table_columns import SourceColumn

_UNSURE = "s_unsure"


def counted_members(memberships: MappedTable, catalogue: Catalogue) -> MappedTable:
    """The memberships without those of internal people; a membership ends when its person is deleted."""
    users = catalogue.table("users")
    if users is None or not memberships.has("user_id"):
        return memberships
    asked = [name for name in ("deleted_at", "is_internal") if users.has(name) and _counts(name, catalogue)]
    if not asked:
        return memberships
    people = _people(users.read_once(), asked)
    known = replace(users, rows=people, columns=_keys(users), sound=frozenset(_keys(users)))
    columns = dict(memberships.columns)
    found: list[Column] = [*memberships.cells(), *([people.c[_UNSURE]] if _UNSURE in people.c else [])]
    if "deleted_at" in asked:
        found.append(_left(memberships, people.c.s_deleted).label("s_left"))
        lite = catalogue.engine.name == "sqlite"
        columns["removed_at"] = SourceColumn("s_left", "any" if lite else "time")
    rows = sa.select(*found).select_from(memberships.rows.outerjoin(people, same_person(known, memberships)))
    if "is_internal" in asked:
        rows = rows.where(sa.func.coalesce(people.c.s_internal, 0) == 0)
    return replace(
        memberships,
        rows=rows.cte("s_members"),
        columns=columns,
        sound=memberships.sound | (columns.keys() & {"removed_at"}),
    )


def unsure(memberships: MappedTable) -> Column | None:
    """Whether nobody can say if the person was deleted or is internal; None where that is known of everybody."""
    return memberships.rows.c[_UNSURE] == 1 if _UNSURE in memberships.rows.c else None


def _counts(name: str, catalogue: Catalogue) -> bool:
    return name != "is_internal" or catalogue.product.exclude.internal


def _keys(users: MappedTable) -> dict[str, SourceColumn]:
    names = ("user_id", "account_id") if users.has("account_id") else ("user_id",)
    return {name: SourceColumn(f"s_{name}", "text") for name in names}


def _people(users: MappedTable, asked: list[str]) -> sa.Subquery:
    """One row per person, however often the table of users has the person."""
    keys = [users.id(name).label(column.name) for name, column in _keys(users).items()]
    doubts = [doubt for name in asked if (doubt := users.doubtful(name)) is not None]
    found: list[Column] = [*keys, *([_any(sa.or_(*doubts)).label(_UNSURE)] if doubts else [])]
    if "deleted_at" in asked:
        found.append(sa.func.max(users.time("deleted_at")).label("s_deleted"))
    if "is_internal" in asked:
        found.append(_any(sa.func.coalesce(users.flag("is_internal"), sa.false())).label("s_internal"))
    return sa.select(*found).select_from(users.rows).group_by(*keys).subquery("s_people_known")


def _any(test: Column) -> Column:
    return sa.func.max(sa.case((test, 1), else_=0))


def _left(memberships: MappedTable, deleted: Column) -> Column:
    if not memberships.has("removed_at"):
        return deleted
    removed = memberships.time("removed_at")
    return sa.case((sa.or_(removed.is_(None), deleted < removed), deleted), else_=removed)
