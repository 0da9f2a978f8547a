"""Which accounts never count: the product's own, deleted ones, and those that the settings name."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from connectors.base.values import host_of
from worker.language.values import Value
from worker.settings.product import Exclude
from worker.signals.constructs import Column, MomentLiteral
from worker.signals.decode import moment
from worker.signals.engines import Engine
from worker.signals.mapped_table import MappedTable
from worker.signals.table_columns import folded


def is_listed(exclude: Exclude, account_id: Value, domain: Value) -> bool:
    """Whether the settings name the account or its domain."""
    return account_id in exclude.ids or host_of(str(domain or "")) in exclude.hosts


def is_excluded(exclude: Exclude, *, deleted: bool, internal: bool) -> bool:
    """Whether the settings leave out accounts like this one, whatever its name."""
    return (exclude.deleted and deleted) or (exclude.internal and internal)


def is_out(accounts: MappedTable, exclude: Exclude, at: datetime) -> Column:
    """Whether a row of the accounts does not count at ``at``, never NULL."""
    tests: list[Column] = [accounts.id("account_id").in_(sorted(exclude.ids))] if exclude.ids else []
    if exclude.hosts and accounts.has("domain"):
        tests.append(folded(accounts.text("domain")).in_(sorted(exclude.hosts)))
    if exclude.deleted and accounts.has("deleted_at"):
        tests.append(accounts.time("deleted_at") < MomentLiteral(at + timedelta(microseconds=1)))
    if exclude.internal and accounts.has("is_internal"):
        tests.append(accounts.flag("is_internal"))
    return sa.or_(sa.false(), *(sa.func.coalesce(test, sa.false()) for test in tests))


def excluded_workspaces(engine: Engine, accounts: MappedTable, exclude: Exclude, at: datetime) -> frozenset[str]:
    """The ids of the accounts with a parent that do not count at ``at``. Raises SourceError."""
    columns = [("domain", accounts.text), ("deleted_at", accounts.time), ("is_internal", accounts.flag)]
    read = [of(name) if accounts.has(name) else sa.null() for name, of in columns]
    ids = accounts.id("account_id")
    rows = (
        sa.select(ids, *read).select_from(accounts.rows).where(ids.is_not(None), accounts.id("parent_id").is_not(None))
    )
    return frozenset(
        str(account)
        for account, domain, deleted_at, internal in engine.run(rows)
        if is_listed(exclude, account, domain)
        or is_excluded(exclude, deleted=_by(moment(deleted_at), at), internal=bool(internal))
    )


def _by(time: datetime | None, at: datetime) -> bool:
    return time is not None and time <= at
