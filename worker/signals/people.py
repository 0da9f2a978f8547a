"""Measurements about single people in an account: roles at work, and who uses the product most."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from worker.signals.aggregates import RowColumns
from worker.signals.constructs import Column
from worker.signals.deleted_people import remaining
from worker.signals.mapped_table import MappedTable
from worker.signals.measurements import Measurement
from worker.signals.reading.texts import IdText
from worker.signals.rows import after, in_force
from worker.signals.scan import QueryScope, Scan
from worker.signals.table_columns import folded


def role_rows(scope: QueryScope, measurement: Measurement) -> sa.Select[Any]:
    """Per account: active people, and the distinct roles they have now."""
    people = _active(scope, measurement)
    memberships = scope.table("memberships")
    role = folded(memberships.text("role"))
    members = (
        sa.select(memberships.id("account_id").label("a"), memberships.id("user_id").label("u"), role.label("r"))
        .select_from(memberships.rows)
        .where(in_force(memberships, scope.as_of), role != "")
        .subquery("s_members")
    )
    same = sa.and_(members.c.a == people.c.s_account, members.c.u == people.c.s_user)
    return (
        sa.select(people.c.s_account, sa.func.count(people.c.s_user.distinct()), sa.func.count(members.c.r.distinct()))
        .select_from(people.outerjoin(members, same))
        .group_by(people.c.s_account)
    )


def share_rows(scope: QueryScope, measurement: Measurement) -> sa.Select[Any]:
    """Per account: all rows by known people, and those of the most active one."""
    people = _active(scope, measurement)
    return sa.select(people.c.s_account, sa.func.sum(people.c.s_n), sa.func.max(people.c.s_n)).group_by(
        people.c.s_account
    )


def top_user_rows(scope: QueryScope, measurement: Measurement) -> sa.Select[Any]:
    """Per account: the most active person who may be written to."""
    people = _active(scope, measurement)
    rows: sa.FromClause = people
    answer: Column = people.c.s_user
    where: list[Column] = []
    users = scope.catalogue.table("users")
    if users is not None:
        same = [users.id("user_id") == people.c.s_user]
        same += [users.id("account_id") == people.c.s_account] if users.has("account_id") else []
        rows = people.join(users.rows, sa.and_(*same))
        where = _may_be_written_to(users, scope)
        if measurement.column == "email":
            answer = users.text("email")
            where += [answer.is_not(None), folded(answer) != ""]
    gone = _gone(scope, people)
    order = (people.c.s_n.desc(), people.c.s_user, answer)
    place = sa.func.row_number().over(partition_by=people.c.s_account, order_by=order).label("s_place")
    ranked = sa.select(people.c.s_account, answer.label("s_answer"), place).select_from(rows)
    numbered = ranked.where(*where, *gone).subquery("s_ranked")
    return sa.select(numbered.c.s_account, numbered.c.s_answer).where(numbered.c.s_place == sa.literal_column("1"))


def _active(scope: QueryScope, measurement: Measurement) -> sa.Subquery:
    """Account, person and number of rows, for every known person with a row that counts."""
    table = scope.table(measurement.table)
    rows, columns = Scan(scope, table, [measurement]).rows()
    row: RowColumns = columns[measurement.name]
    counted = (
        sa.select(rows.c.s_account, rows.c.s_user, sa.func.count().label("s_n"))
        .where(row.counts, rows.c.s_user.is_not(None))
        .group_by(rows.c.s_account, rows.c.s_user)
        .subquery("s_counted")
    )
    account = IdText(counted.c.s_account, table.kind("account_id")).label("s_account")
    user = IdText(counted.c.s_user, table.kind("user_id")).label("s_user")
    found = sa.select(account, user, counted.c.s_n).where(remaining(scope, table, counted))
    return found.subquery("s_people")


def _may_be_written_to(users: MappedTable, scope: QueryScope) -> list[Column]:
    parts: list[Column] = [
        sa.not_(sa.func.coalesce(users.flag(flag), sa.false()))
        for flag in ("opted_out", "is_internal")
        if users.has(flag)
    ]
    if users.has("deleted_at"):
        deleted = users.time("deleted_at")
        parts.append(sa.or_(deleted.is_(None), after(deleted, scope.as_of)))
    return parts


def _gone(scope: QueryScope, people: sa.Subquery) -> list[Column]:
    """Leaves out users who left the account. A user who was never listed as a member stays."""
    memberships = scope.catalogue.table("memberships")
    if memberships is None or not memberships.has("removed_at"):
        return []
    left = (
        sa.select(memberships.id("account_id").label("a"), memberships.id("user_id").label("u"))
        .select_from(memberships.rows)
        .group_by(memberships.id("account_id"), memberships.id("user_id"))
        .having(sa.func.max(sa.case((in_force(memberships, scope.as_of), 1), else_=0)) == 0)
        .subquery("s_left")
    )
    same = sa.and_(left.c.a == people.c.s_account, left.c.u == people.c.s_user)
    return [sa.not_(sa.exists(sa.select(sa.literal_column("1")).select_from(left).where(same)))]
