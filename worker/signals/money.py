"""Amounts and the currency they are in: converted where the settings have rates, and never added across currencies."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from worker.settings.product import ProductSettings
from worker.settings.product_schema import AMOUNTS
from worker.signals.aggregates import UNKNOWN_CURRENCY
from worker.signals.constructs import Column
from worker.signals.mapped_table import MappedTable


def amount(table: MappedTable, product: ProductSettings, at: datetime) -> Column:
    """The amount of a row, in the reporting currency where there is one; NULL where no rate is known for it."""
    found = table.number(AMOUNTS[table.name])
    if product.reporting_currency is None or not table.has("currency"):
        return found
    rates = product.rates_at(at)
    code = _code(table)
    parts = [(code == currency, found * sa.literal(rate, sa.Double())) for currency, rate in sorted(rates.items())]
    return sa.case(*parts)


def currency_of(table: MappedTable, product: ProductSettings, at: datetime) -> Column:
    """The currency `amount` is in, NULL for nothing; ``?`` for an amount that cannot be known: no total is without it.

    The price of a subscription whose state is unknown is such an amount: nobody can say whether it is paid.
    """
    found = table.number(AMOUNTS[table.name])
    code: Column = sa.func.coalesce(_code(table), "") if table.has("currency") else sa.literal("", sa.Text())
    if product.reporting_currency is not None and table.has("currency"):
        code = sa.case((code.in_(sorted(product.rates_at(at))), product.reporting_currency), else_=UNKNOWN_CURRENCY)
    return sa.case((found.is_(None), UNKNOWN_CURRENCY), (found != 0, code))


def incomparable_rows(table: MappedTable, product: ProductSettings, at: datetime) -> sa.Select[Any]:
    """How many rows have an amount that no total of their account can be made of. ``table`` says currencies."""
    currency = currency_of(table, product, at)
    rows = sa.select(table.id("account_id").label("a"), currency.label("c")).select_from(table.rows)
    known = table.number(AMOUNTS[table.name]).is_not(None)
    given = rows.where(known, currency.is_not(None)).subquery("s_given")
    several = sa.func.min(given.c.c) != sa.func.max(given.c.c)
    unknown = sa.func.max(sa.case((given.c.c == UNKNOWN_CURRENCY, 1), else_=0)) == 1
    number = sa.case((sa.or_(several, unknown), sa.func.count()), else_=0).label("n")
    found = sa.select(number).where(given.c.a.is_not(None)).group_by(given.c.a).subquery("s_incomparable")
    return sa.select(sa.func.sum(found.c.n))


def _code(table: MappedTable) -> Column:
    return sa.func.upper(sa.func.trim(table.text("currency")))
