"""config/product.yaml, ``trust``: how much of the data may be wrong before a run refuses it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from worker.settings.base import Strict


def _share(value: object) -> object:
    if isinstance(value, str) and value.strip().endswith("%"):
        return float(value.strip().removesuffix("%")) / 100
    return value


Share = Annotated[
    float, Field(ge=0, le=1), BeforeValidator(_share), WithJsonSchema({"type": "string", "examples": ["20%"]})
]


class TrustSettings(Strict):
    """What stops a run. Below these shares it goes on, and the data report says what was found."""

    unjoined: Share = 0.2
    """The share of a table's rows of the last 28 days that may belong to no account."""
    unjoined_in: dict[str, Share] = Field(default_factory=dict)
    """The same for single tables: ``{tickets: 50%}``."""
    repeated_accounts: Share = 0.01
    """The share of accounts that may stand in the accounts table more than once; five always may."""
    shared_keys: Share = 0.05
    """The share of a table's rows that may have the id of a row of another account; five always may."""
    repeated_rows: Share = 0.2
    """The share of a table's rows without an id that may repeat another in every column; five always may."""
    reversed_dates: Share = 0.5
    """The share of a table's rows with a start and an end that may end before they start; five always may."""
    least_usual: Share = 0.5
    """What must be left of the usual share of rows that join, or name an account, and of a weekday's usual events."""
    lost: Share = 0.2
    """The share of a window's events that may be missing on days without any; what counts more missing is unknown."""
    shrunk: Share = 0.5
    """The share of a table's usual rows that may be missing at once; of twenty rows all but one may, of four all."""
    vanished: Share = 0.05
    """The share of accounts that may be missing at once; four always may."""
    gone_after: Annotated[int, Field(ge=1)] = 3
    """On how many days runs must miss an account, the table being as large as usual, before it counts as gone."""
    reused: Share = 0.01
    """The share of account ids that may belong to another account than before; two always may."""

    def unjoined_of(self, table: str) -> float:
        """The allowed share of one table."""
        return self.unjoined_in.get(table, self.unjoined)
