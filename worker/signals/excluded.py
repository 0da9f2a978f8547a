"""Which accounts never count: the product's own, deleted ones, and those that the settings name."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from connectors.base.values import host_of
from worker.language.values import Value
from worker.settings.product import Exclude
from worker.signals.constructs import Column, MomentLiteral
from worker.signals.engines import Engine
from worker.signals.mapped_table import MappedTable


def is_listed(exclude: Exclude, account_id: Value, domain: Value) -> bool:
    """Whether the settings name the account or its domain."""
    return account_id in exclude.ids or host_of(str(domain or "")) in exclude.hosts


def is_excluded(exclude: Exclude, *, deleted: bool, internal: bool) -> bool:
    """Whether the settings leave out accounts like this one, whatever its name."""
    return (exclude.deleted and deleted) or (exclude.internal and internal)


def excluded_domains(engine: Engine, accounts: MappedTable, exclude: Exclude) -> frozenset[str]:
    """The domains of accounts, as they are written, that the settings leave out. Raises SourceError."""
    if not exclude.hosts or not accounts.has("domain"):
        return frozenset()
    rows = engine.run(sa.select(accounts.text("domain")).select_from(accounts.rows).distinct())
    return frozenset(str(domain) for (domain,) in rows if domain is not None and host_of(str(domain)) in exclude.hosts)


def is_out(accounts: MappedTable, exclude: Exclude, domains: frozenset[str], at: datetime) -> Column:
    """Whether a row of the accounts does not count at ``at``, never NULL; ``domains`` are the `excluded_domains`."""
    tests: list[Column] = [accounts.id("account_id").in_(sorted(exclude.ids))] if exclude.ids else []
    if domains:
        tests.append(accounts.text("domain").in_(sorted(domains)))
    if exclude.deleted and accounts.has("deleted_at"):
        tests.append(accounts.time("deleted_at") < MomentLiteral(at + timedelta(microseconds=1)))
    if exclude.internal and accounts.has("is_internal"):
        tests.append(accounts.flag("is_internal"))
    return sa.or_(sa.false(), *(sa.func.coalesce(test, sa.false()) for test in tests))
