"""config/signals.yaml: what is measured about every account, and how people read them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator, model_validator

from worker.language.suggest import suggestion
from worker.settings.base import ExpressionText, Strict, WindowText
from worker.settings.product_schema import SCHEMA

Measure = Literal[
    "count",
    "users",
    "days",
    "user_days",
    "kinds",
    "roles",
    "sum",
    "average",
    "lowest",
    "highest",
    "share",
    "ever",
    "first",
    "last",
    "latest",
    "top",
    "top_user",
    "top_user_share",
]
AnyMeasure = Measure | Literal["decayed"]
"""What settings may ask for, and what the PQL score asks for besides."""
TableName = Literal[
    "events",
    "subscriptions",
    "memberships",
    "invites",
    "surveys",
    "tickets",
    "invoices",
    "usage_limits",
    "mrr_movements",
]
Unit = Literal["count", "days", "percent", "money", "text", "flag", "date", "score"]
Scalar = str | int | float | bool
PropertyKind = Literal["number", "flag"]
"""What a signal may need a property of events to be, besides text."""

NEEDS_COLUMN = frozenset({"sum", "average", "lowest", "highest", "latest", "top", "top_user"})
OF_NUMBERS = frozenset({"sum", "average", "lowest", "highest"})
OF_EVENTS = frozenset({"kinds", "roles", "user_days", "top_user", "top_user_share"})


def _named_list(value: object, info: ValidationInfo) -> object:
    """The values of the list that ``value`` names. Raises ValueError."""
    if not isinstance(value, str):
        return value
    lists = (info.context or {}).get("lists", {})
    if value not in lists:
        near = suggestion(value, lists, "; values go into square brackets: [pro, enterprise]")
        raise ValueError(f'there is no list "{value}" under lists: in config/product.yaml{near}')
    return lists[value]


ListedValues = Annotated[
    list[Scalar],
    BeforeValidator(_named_list),
    WithJsonSchema({"type": ["string", "array"], "examples": ["paying_plans"]}),
]


class Comparison(Strict):
    """How a column of a row must compare. Several of them must all hold."""

    at_least: float | None = None
    """The column is this number or more."""
    at_most: float | None = None
    """The column is this number or less."""
    above: float | None = None
    """The column is more than this number."""
    below: float | None = None
    """The column is less than this number."""
    is_not: Scalar | list[Scalar] | None = None
    """The column is neither this value nor one of these."""
    in_: ListedValues | None = Field(default=None, alias="in")
    """The column is one of the values of this list under ``lists:`` in config/product.yaml, or of these values."""
    not_in: ListedValues | None = None
    """The column is none of them."""
    known: bool | None = None
    """``true``: only rows where the column has a value; ``false``: only rows where it has none."""

    @field_validator("*", mode="before")
    @classmethod
    def _has_a_value(cls, value: object) -> object:
        if value is None or value == []:
            raise ValueError("nothing is written here to compare with")
        return value

    @model_validator(mode="after")
    def _compares(self) -> Comparison:
        if not self.model_fields_set:
            raise ValueError(f"say how the column must compare: {', '.join(_COMPARISONS)}")
        return self


_COMPARISONS = tuple(field.alias or name for name, field in Comparison.model_fields.items())
RowTest = Scalar | list[Scalar] | Comparison


class Signal(Strict):
    """One measurement per account. Either ``from`` and ``measure`` (rows of a table), or ``of`` (a sum of signals)."""

    label: str = Field(min_length=1)
    """What people read in reasons: "active users (28 days)"."""
    unit: Unit = "count"
    """How people read the value."""
    from_: TableName | None = Field(default=None, alias="from")
    """The table of config/product.yaml whose rows are measured."""
    measure: Measure | None = None
    """What is measured of the rows; each measure is explained in docs/signals.md."""
    events: str | list[str] | None = None
    """Which events count: a list of names, or the name of one of ``event_lists``. Left out: all."""
    where: dict[str, RowTest] = Field(default_factory=dict)
    """Which rows count: column: value, a list of values, or a comparison. Text in any case is the same."""
    that: dict[str, RowTest] = Field(default_factory=dict)
    """Only ``share``: the share of the counted rows for which this holds too."""
    column: str | None = None
    """What is summed, averaged, or read from the latest or top row."""
    window: WindowText | None = None
    """The last so many whole days, up to the last midnight, best a multiple of 7; ``today``: the day that has begun."""
    previous: bool = False
    """The window before that one."""
    at: str | None = None
    """Which time of the row counts, such as ``accepted_at`` of an invite."""
    current: bool | None = None
    """Only rows in force at the moment: open tickets, unpaid invoices, running subscriptions, present members."""
    as_: Literal["days_since", "days_until"] | None = Field(default=None, alias="as")
    """Turn a date into a number of days."""
    when_none: Scalar | None = None
    """What it is for an account that has no such row. Only where the table is mapped: what cannot be known stays so."""
    of: ExpressionText | None = None
    """Two other signals with one of ``+ - * /`` between them: ``seats_used / seat_limit``."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Signal:
        if self.of is not None:
            extra = self.model_fields_set - {"label", "unit", "of"}
            if extra:
                raise ValueError(
                    f'a signal with "of" has only label and unit besides: remove {", ".join(sorted(extra))}'
                )
        elif self.from_ is None or self.measure is None:
            raise ValueError('give "from" (a table) and "measure", or "of" (two other signals)')
        return self

    @property
    def is_current(self) -> bool:
        """Whether only rows in force at ``as_of`` count."""
        if self.current is not None:
            return self.current
        return self.from_ is not None and SCHEMA[self.from_].current

    @property
    def days(self) -> int | None:
        """Length of the window in days; 0 is the day that has begun, None since the beginning."""
        return None if self.window is None else int(self.window.n)


def needed_kind(test: RowTest) -> PropertyKind | None:
    """What a property has to be for ``test`` to be answered; None: any text will do."""
    if isinstance(test, Comparison):
        if any(bound is not None for bound in (test.at_least, test.at_most, test.above, test.below)):
            return "number"
        return next(
            (needed_kind(values) for values in (test.in_, test.not_in, test.is_not) if values is not None), None
        )
    values = test if isinstance(test, list) else [test]
    return "flag" if values and all(isinstance(value, bool) for value in values) else None


class SignalsSettings(Strict):
    """The whole of config/signals.yaml."""

    version: Literal[1]
    event_lists: dict[str, list[str]] = Field(default_factory=dict)
    """Lists of event names you own: ``key_events``, ``activation``, ``sign_in``."""
    may_be_absent: list[str] = Field(default_factory=list)
    """Event lists, events and ``props.x`` that may rightly never have occurred: they count 0. Others are unknown."""
    same_event: dict[str, list[str]] = Field(default_factory=dict)
    """Event name → other spellings of it in the data, which count as that event."""
    signals: dict[str, Signal]

    @property
    def names_of_spellings(self) -> dict[str, str]:
        """Other spelling of an event → the name under which it counts."""
        return {spelling: name for name, spellings in self.same_event.items() for spelling in spellings}

    def event_names(self, signal: Signal) -> tuple[str, ...] | None:
        """The events ``signal`` counts, or None for all."""
        if signal.events is None:
            return None
        events = self.event_lists.get(signal.events, ()) if isinstance(signal.events, str) else signal.events
        names = self.names_of_spellings
        return tuple(dict.fromkeys(names.get(event, event) for event in events))

    def label(self, name: str) -> str:
        """How people read ``name``; a name nobody gave a label reads as it is written, without underscores."""
        signal = self.signals.get(name)
        return signal.label if signal else name.replace("_", " ").replace(".", " ")
