"""How the values of a company's accounts become the one value of their record (``record: parent``).

Unknown is not zero. A sum with an unknown part would be too small and look complete, so it is unknown; likewise ``all``
and ``any`` of yes/no where the unknown one decides. The worst, the best, the lowest and the latest are true statements
about the accounts that are known, and a red account is red whatever another one is: they are of the known values, and
unknown only when none is known.

The worst and the best account of a score are those with the worst and the best value of its `ScoreSpec.rank_field`. A
field with an order of its own (``worst_first``) is the worst or best by that order. All others, such as the reasons,
are those of that account, also when it has none, so that score and reasons belong together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from connectors.base import FieldSpec
from connectors.coerce import Invalid, coerce, day_or_moment
from worker.language.values import Value, as_utc, midnight
from worker.settings.crm_fields import Combine, FieldKind
from worker.settings.score_specs import score_fields, spec_of

Known = tuple[str, Value]


@dataclass(frozen=True, slots=True)
class Combined:
    """A value, and the accounts that it comes from; ``problem`` says why the values of the accounts make none."""

    value: Value
    accounts: tuple[str, ...] = ()
    problem: str = ""


def combine(how: Combine, values: Mapping[str, Value], top: str, main: Mapping[str, Value], source: str) -> Combined:
    """One value of those of some accounts, by account id in the order in which equal ones are chosen.

    ``top`` is the account on top of the others. ``main`` are the values by which the score of ``source`` ranks
    accounts; empty for a field of no score.
    """
    known = [(account, value) for account, value in values.items() if value is not None]
    try:
        match how:
            case "worst" | "best":
                return _ranked(how, known, values, main, source)
            case "top":
                return Combined(values.get(top), (top,) if top in values else ())
            case "sum":
                return _sum(values)
            case "any" if any(isinstance(value, bool) for _, value in known):
                return _flags(values, wanted=True)
            case "all":
                return _flags(values, wanted=False)
            case "lowest" | "highest":
                return _extreme(known, _number, highest=how == "highest")
            case "earliest" | "latest":
                return _extreme(known, _moment, highest=how == "latest")
            case _:
                return _first(known)
    except Invalid as error:
        return Combined(None, tuple(values), str(error))


def of_kind(kind: FieldKind, value: Value) -> Value:
    """A value as the kind of its field, as its CRM would read it: a text of a playbook may be a number or a date.

    An empty text is no value. A value that its field cannot hold stays what it is.
    """
    if isinstance(value, str) and not value.strip():
        return None
    spec = FieldSpec(name="", type=kind)
    try:
        if kind == "bool" or (kind == "number" and isinstance(value, str)):
            return coerce(spec, value)
        return day_or_moment(spec, value) if kind in {"date", "datetime"} and isinstance(value, str) else value
    except Invalid:
        return value


def _first(known: Sequence[Known]) -> Combined:
    return Combined(known[0][1], (known[0][0],)) if known else Combined(None)


def _sum(values: Mapping[str, Value]) -> Combined:
    if not values or any(value is None for value in values.values()):
        return Combined(None, tuple(account for account, value in values.items() if value is None))
    numbers = [_number(value) for value in values.values()]
    whole = all(isinstance(number, int) for number in numbers)
    return Combined(sum(numbers) if whole else math.fsum(numbers), tuple(values))


def _flags(values: Mapping[str, Value], *, wanted: bool) -> Combined:
    """``any`` is true when one is (``wanted``), ``all`` false when one is; else the unknown ones decide."""
    if any(value is not None and not isinstance(value, bool) for value in values.values()):
        raise Invalid("some of its values are yes or no, and others are not")
    deciding = tuple(account for account, value in values.items() if value is wanted)
    if deciding:
        return Combined(wanted, deciding)
    unknown = tuple(account for account, value in values.items() if value is None)
    return Combined(None, unknown) if unknown else Combined(not wanted, tuple(values))


def _extreme(known: Sequence[Known], key: Callable[[Value], float], *, highest: bool) -> Combined:
    if not known:
        return Combined(None)
    keys = [key(value) for _, value in known]
    return _first(known[keys.index(max(keys) if highest else min(keys)) :])


def _number(value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Invalid("not all of its values are numbers")
    return value


def _moment(value: Value) -> float:
    if not isinstance(value, date):
        raise Invalid("not all of its values are dates")
    return (as_utc(value) if isinstance(value, datetime) else midnight(value)).timestamp()


def _ranked(
    how: Combine, known: Sequence[Known], values: Mapping[str, Value], main: Mapping[str, Value], source: str
) -> Combined:
    spec, order = spec_of(source), score_fields()[source].worst_first
    sign = -1 if spec and spec.better == "lower" else 1

    def rank(account: str) -> tuple[float, float] | None:
        """Lower is worse; None when it is not known."""
        score = main.get(account)
        points = sign * _number(score) if score is not None else math.inf if how == "worst" else -math.inf
        if order:
            value = values[account]
            return (order.index(str(value)), points) if value in order else None
        return None if score is None else (points, 0.0)

    ranked = {account: one for account in values if (one := rank(account)) is not None}
    if not ranked:
        return _first(known)
    chosen = (min if how == "worst" else max)(ranked, key=ranked.__getitem__)
    return Combined(values[chosen], (chosen,))
