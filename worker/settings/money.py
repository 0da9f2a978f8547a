"""Currencies and what they are worth, in config/product.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from worker.settings.base import Strict

CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""Three capital letters (ISO 4217), such as EUR."""


class Rates(Strict):
    """What currencies are worth from a day on."""

    since: date
    """The first day (UTC) these rates hold for; they hold until the next ones."""
    worth: dict[CurrencyCode, Annotated[float, Field(gt=0, allow_inf_nan=False)]]
    """What one unit of each currency is worth in the reporting currency: ``USD: 0.92``."""


def rates_at(reporting: str, rates: Sequence[Rates], at: datetime) -> dict[str, float]:
    """Currency → what one unit is worth at ``at`` (UTC): per currency the newest rate that holds by then."""
    found: dict[str, float] = {}
    for one in sorted(rates, key=lambda one: one.since):
        if one.since <= at.date():
            found |= one.worth
    return found | {reporting: 1.0}
