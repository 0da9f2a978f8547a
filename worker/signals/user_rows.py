"""What the table of users says of a person whom it has in several rows."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from worker.signals.constructs import Column
from worker.signals.engines import Engine
from worker.signals.mapped_table import MappedTable
from worker.signals.rows import by

LATEST = "updated_at"


def key_names(users: MappedTable) -> tuple[str, ...]:
    """The columns that tell one person from another."""
    return ("user_id", "account_id") if users.has("account_id") else ("user_id",)


def people(users: MappedTable, asked: Collection[str], as_of: datetime) -> sa.Subquery:
    """One row per person, with the key as ``s_user_id`` and ``s_account_id``, for ``deleted_at`` and ``is_internal``.

    ``s_deleted`` is when the person was deleted, NULL of one who is there at ``as_of``; ``s_internal`` whether any row
    says that the person is internal; ``s_unsure`` whether nobody can say one or the other. A person is deleted where
    no row says otherwise: the latest by ``updated_at``, else one that began after the deletion. A row that neither of
    these tells to be newer leaves it undecided.
    """
    rows = _rows(users, asked, as_of)
    keys = [rows.c[f"s_{name}"] for name in key_names(users)]
    unsure = sa.func.max(rows.c.s_doubt) == 1
    found: list[Column] = []
    if "deleted_at" in asked:
        undecided, gone = _undecided(rows), _many(rows.c.s_gone_at.is_not(None))
        found.append(sa.case((_many(rows.c.s_here == 1) == 0, sa.func.max(rows.c.s_gone_at))).label("s_deleted"))
        found.append(sa.case((undecided, 1), else_=0).label("s_undecided"))
        found.append(sa.case((sa.and_(gone > 0, sa.func.count() > 1), 1), else_=0).label("s_several"))
        unsure = sa.or_(unsure, undecided)
    if "is_internal" in asked:
        found.append(sa.func.max(rows.c.s_internal).label("s_internal"))
    found += [sa.case((unsure, 1), else_=0).label("s_unsure"), sa.func.count().label("s_rows")]
    return sa.select(*keys, *found).group_by(*keys).subquery("s_people_known")


def _rows(users: MappedTable, asked: Collection[str], as_of: datetime) -> sa.Subquery:
    """The rows with what each says of its person; only the latest ones say whether the person is deleted."""
    keys = [users.id(name).label(f"s_{name}") for name in key_names(users)]
    doubts = [doubt for name in asked if (doubt := users.doubtful(name)) is not None]
    found: list[Column] = [*keys, _flag(sa.or_(sa.false(), *doubts)).label("s_doubt")]
    if "is_internal" in asked:
        found.append(_flag(users.flag("is_internal")).label("s_internal"))
    if "deleted_at" in asked:
        deleted = users.time("deleted_at")
        born = users.time("created_at") if users.has("created_at") else None
        gone = sa.func.coalesce(by(deleted, as_of), sa.false())
        there = sa.true() if born is None else sa.func.coalesce(by(born, as_of), sa.true())
        found += [deleted.label("s_deleted_at"), _flag(gone).label("s_gone"), _flag(there).label("s_there")]
        found += [] if born is None else [born.label("s_born_at")]
        order = [users.time(LATEST).desc().nulls_last()] if users.has(LATEST) else [*keys]
        found.append(sa.func.rank().over(partition_by=keys, order_by=order).label("s_place"))
    rows = sa.select(*found).select_from(users.rows).subquery("s_user_rows")
    if "deleted_at" not in asked:
        return rows
    speaks = sa.and_(rows.c.s_place == 1, rows.c.s_there == 1)
    is_gone, is_here = sa.and_(speaks, rows.c.s_gone == 1), sa.and_(speaks, rows.c.s_gone == 0)
    gone_at = sa.case((is_gone, rows.c.s_deleted_at)).label("s_gone_at")
    more = [gone_at, _flag(is_here).label("s_here")]
    more += [sa.case((is_here, rows.c.s_born_at)).label("s_here_since")] if "s_born_at" in rows.c else []
    return sa.select(*rows.c, *more).subquery("s_user_says")


def _undecided(rows: sa.Subquery) -> Column:
    """Whether some rows of a person are deleted and others are not, and none of these began after the deletion."""
    gone: Column = sa.func.max(rows.c.s_gone_at)
    newer: Column = sa.false()
    if "s_here_since" in rows.c:
        newer = sa.func.coalesce(sa.func.max(rows.c.s_here_since) >= gone, sa.false())
    return sa.and_(gone.is_not(None), _many(rows.c.s_here == 1) > 0, sa.not_(newer))


def count_undecided(engine: Engine, users: MappedTable, as_of: datetime) -> tuple[int, bool]:
    """The rows of people who are deleted in one row and not in another, and whether a deleted person has several rows.

    Raises SourceError.
    """
    if not users.has("deleted_at"):
        return 0, False
    found = people(users, ["deleted_at"], as_of)
    undecided = sa.func.sum(sa.case((found.c.s_undecided == 1, found.c.s_rows)))
    asked: sa.Select[Any] = sa.select(undecided, sa.func.max(found.c.s_several)).where(found.c.s_user_id.is_not(None))
    row = engine.run(asked)[0]
    return int(row[0] or 0), bool(row[1])


def _flag(test: Column) -> Column:
    return sa.case((test, 1), else_=0)


def _many(test: Column) -> Column:
    return sa.func.sum(_flag(test))
