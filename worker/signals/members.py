"""Who is a member: nobody of the product's own people, and nobody beyond the day the person was deleted."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from worker.signals.constructs import Column
from worker.signals.mapped_table import MappedTable
from worker.signals.mapping import Catalogue
from worker.signals.rows import same_person
from worker.signals.source_columns import SourceColumn
from worker.signals.user_rows import key_names, people

_UNSURE = "s_unsure"


def counted_members(memberships: MappedTable, catalogue: Catalogue, as_of: datetime) -> MappedTable:
    """The memberships without those of internal people; a membership ends when its person is deleted."""
    users = catalogue.table("users")
    if users is None or not memberships.has("user_id"):
        return memberships
    asked = [name for name in ("deleted_at", "is_internal") if users.has(name) and _counts(name, catalogue)]
    if not asked:
        return memberships
    one_each = people(users, asked, as_of)
    keys = {name: SourceColumn(f"s_{name}", "text", ready=True) for name in key_names(users)}
    known = replace(users, rows=one_each, columns=keys, sound=frozenset(keys))
    columns = dict(memberships.columns)
    may_doubt = not users.unique or any(users.doubtful(name) is not None for name in asked)
    found: list[Column] = [*memberships.carried(), *([one_each.c[_UNSURE]] if may_doubt else [])]
    if "deleted_at" in asked:
        found.append(_left(memberships, one_each.c.s_deleted).label("s_left"))
        columns["removed_at"] = SourceColumn("s_left", "time", ready=True)
    rows = sa.select(*found).select_from(memberships.rows.outerjoin(one_each, same_person(known, memberships)))
    if "is_internal" in asked:
        rows = rows.where(sa.func.coalesce(one_each.c.s_internal, 0) == 0)
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


def _left(memberships: MappedTable, deleted: Column) -> Column:
    if not memberships.has("removed_at"):
        return deleted
    removed = memberships.time("removed_at")
    return sa.case((sa.or_(removed.is_(None), deleted < removed), deleted), else_=removed)
