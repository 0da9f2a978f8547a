"""The accounts of a run, and the product's columns of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from worker.language.values import Value
from worker.settings.product import ProductSettings
from worker.settings.product_schema import SCHEMA, kind_of
from worker.signals.constructs import Column
from worker.signals.excluded import is_excluded, is_listed
from worker.signals.mapping import Catalogue
from worker.signals.rows import arrived, before
from worker.signals.scan import QueryScope


def account_columns(catalogue: Catalogue) -> tuple[tuple[str, str], ...]:
    """Name and kind of what is read of every account, its id first.

    Extra columns have the kind ``extra``; ``nested`` where they hold JSON, lists or structs.
    """
    accounts = catalogue.table("accounts")
    if accounts is None:
        return (("id", "id"), ("created_at", "time"))
    own = [name for name in SCHEMA["accounts"].columns if name != "account_id" and accounts.has(name)]
    named = [(name, str(kind_of("accounts", name))) for name in own]
    nested = {name for name, column in accounts.columns.items() if column.kind in {"json", "struct", "list"}}
    names = catalogue.product.tables.accounts.extra
    extra = [(name, "nested" if f"extra.{name}" in nested else "extra") for name in names]
    return (("id", "id"), *named, *extra)


def account_rows(scope: QueryScope, columns: tuple[tuple[str, str], ...]) -> sa.Select[Any]:
    """Every account that existed before ``as_of``, with ``columns`` labelled ``s_<name>``."""
    accounts = scope.catalogue.table("accounts")
    if accounts is None:
        seen = _seen_in_events(scope)
        found_there = sa.select(seen.c.account_id.label("s_id"), seen.c.created_at.label("s_created_at"))
        return _only(found_there, seen.c.account_id, scope)
    account_id = accounts.id("account_id")
    found: list[Column] = [account_id.label("s_id")]
    for name, kind in columns[1:]:
        column = accounts.theirs(name) if kind in {"extra", "nested"} else accounts.value(name)
        found.append(column.label(f"s_{name}"))
    rows = sa.select(*found).select_from(accounts.rows).where(account_id.is_not(None))
    if accounts.has("created_at"):
        created = accounts.time("created_at")
        rows = rows.where(sa.or_(created.is_(None), before(created, scope.as_of)))
    return _only(rows, account_id, scope)


def account_ids(catalogue: Catalogue, as_of: datetime) -> frozenset[str]:
    """The id of every account that existed before ``as_of``, also of those that do not count. Raises SourceError."""
    rows = account_rows(QueryScope(catalogue, as_of), (("id", "id"),))
    return frozenset(str(row[0]) for row in catalogue.engine.run(rows))


def undecided_accounts(catalogue: Catalogue) -> frozenset[str]:
    """The accounts that may be deleted: their ``deleted_at`` cannot be read or believed. Raises SourceError."""
    accounts = catalogue.table("accounts")
    doubt = None if accounts is None else accounts.doubtful("deleted_at")
    if accounts is None or doubt is None:
        return frozenset()
    account_id = accounts.id("account_id")
    found: sa.Select[Any] = sa.select(account_id).select_from(accounts.rows).where(account_id.is_not(None), doubt)
    return frozenset(str(row[0]) for row in catalogue.engine.run(found))


def _seen_in_events(scope: QueryScope) -> sa.Subquery:
    """Distinct account ids of the events; an account begins with its first event."""
    events = scope.catalogue.events
    first = sa.func.min(events.time("occurred_at")).label("created_at")
    found = sa.select(events.id("account_id").label("account_id"), first).select_from(events.rows)
    known = events.raw("account_id").is_not(None)
    found = found.where(known, *arrived(events, scope.catalogue, scope.as_of))
    return found.group_by(events.raw("account_id")).subquery("s_seen")


def _only(rows: sa.Select[Any], account_id: Column, scope: QueryScope) -> sa.Select[Any]:
    return rows if scope.accounts is None else rows.where(account_id.in_(sorted(scope.accounts)))


def one_account(rows: Sequence[Mapping[str, Value]]) -> Mapping[str, Value]:
    """The columns of an account that the table has several times: those of the newest row by ``updated_at``.

    Where no row is the newest, the columns in which they differ are unknown.
    """
    if len(rows) == 1:
        return rows[0]
    times = [row.get("updated_at") for row in rows]
    known = [time for time in times if isinstance(time, datetime)]
    if len(known) == len(rows) and known.count(max(known)) == 1:
        return rows[known.index(max(known))]
    return {name: value if all(row[name] == value for row in rows) else None for name, value in rows[0].items()}


def account_values(product: ProductSettings, known: Mapping[str, Value], as_of: datetime) -> dict[str, Value] | None:
    """``account.*`` of one account as it was at ``as_of``; None when it does not count.

    ``account.age_days`` are completed days since it was created.
    """
    values: dict[str, Value] = {f"account.{name}": None for name in SCHEMA["accounts"].columns if name != "account_id"}
    values |= {f"account.{name}": value for name, value in known.items()}
    deleted = values["account.deleted_at"]
    if isinstance(deleted, datetime) and deleted > as_of:
        values["account.deleted_at"] = deleted = None
    created = values["account.created_at"]
    values["account.age_days"] = (as_of - created) // timedelta(days=1) if isinstance(created, datetime) else None
    exclude = product.exclude
    listed = is_listed(exclude, values["account.id"], values["account.domain"])
    if listed or (values["account.is_internal"] is None and exclude.is_a_full_list):
        values["account.is_internal"] = listed
    internal = values["account.is_internal"] is True
    return None if listed or is_excluded(exclude, deleted=deleted is not None, internal=internal) else values
