"""People who are deleted are in no signal about people: neither active nor first among the active."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from worker.signals.constructs import Column
from worker.signals.mapped_table import MappedTable
from worker.signals.mapping import Catalogue
from worker.signals.reading.texts import IdText
from worker.signals.rows import by
from worker.signals.scan import QueryScope
from worker.signals.user_rows import key_names, people

_SAY_IT_THEMSELVES = frozenset({"memberships", "users"})


def remaining(scope: QueryScope, table: MappedTable, rows: sa.FromClause) -> Column:
    """Whether the person ``s_user`` of ``rows``, which are counted from ``table``, was not deleted by ``as_of``.

    It is asked of people and not of their rows where rows are counted per person: those are few.
    """
    users = _users(scope.catalogue, table)
    if users is None or not users.has("deleted_at"):
        return sa.true()
    ids = [IdText(rows.c[f"s_{name}"], table.kind(f"{name}_id")) for name in ("user", "account")]
    if users.unique:
        return sa.not_(_is_one_of(users, by(users.time("deleted_at"), scope.as_of), ids))
    known = people(users, ["deleted_at"], scope.as_of)
    return sa.not_(_is_in(known, known.c.s_deleted.is_not(None), ids))


def may_be_deleted(scope: QueryScope, table: MappedTable) -> Column | None:
    """Whether nobody can say if the person of a row was deleted; None where that is known of everybody."""
    users = _users(scope.catalogue, table)
    if users is None or users.unique or not (users.has("deleted_at") and table.has("user_id")):
        return _of_somebody(users, "deleted_at", table)
    known = people(users, ["deleted_at"], scope.as_of)
    return _is_in(known, known.c.s_unsure == 1, [table.id("user_id"), table.id("account_id")])


def may_be_internal(catalogue: Catalogue, table: MappedTable) -> Column | None:
    """Whether nobody can say if the person of a row is the product's own; None where that is known or is not asked."""
    asked = catalogue.product.exclude.internal and table.name != "memberships"
    return _of_somebody(catalogue.table("users") if asked else None, "is_internal", table)


def _of_somebody(users: MappedTable | None, column: str, table: MappedTable) -> Column | None:
    """Whether the person of a row is one whose ``column`` is in doubt; None where nobody's is."""
    doubt = None if users is None else users.doubtful(column)
    if users is None or doubt is None or not table.has("user_id"):
        return None
    return _is_one_of(users, doubt, [table.id("user_id"), table.id("account_id")])


def _users(catalogue: Catalogue, table: MappedTable) -> MappedTable | None:
    return None if table.name in _SAY_IT_THEMSELVES else catalogue.table("users")


def _is_one_of(users: MappedTable, who: Column, ids: Sequence[Column]) -> Column:
    """Whether the ids of a person and an account are those of a user for whom ``who`` holds; never NULL."""
    keys = [users.id(name).label(f"s_{name}") for name in key_names(users)]
    rows = sa.select(*keys).select_from(users.rows).where(who).subquery("s_users_who")
    return _is_in(rows, sa.true(), ids)


def _is_in(rows: sa.Subquery, who: Column, ids: Sequence[Column]) -> Column:
    keys = [rows.c[name] for name in ("s_user_id", "s_account_id") if name in rows.c]
    found: sa.Select[Any] = sa.select(*keys).where(who, *(key.is_not(None) for key in keys))
    person = ids[0] if len(keys) == 1 else sa.tuple_(*ids)
    return sa.func.coalesce(person.in_(found), sa.false())
