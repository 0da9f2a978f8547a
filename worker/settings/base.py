"""What every settings file is made of: strict models and the texts an admin writes in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, ValidationInfo, WithJsonSchema

from worker.language.condition import Condition, parse_condition
from worker.language.errors import Loc as Loc
from worker.language.expression import Expression, parse_expression
from worker.language.stand_ins import with_lists, with_synonyms
from worker.language.template import Template, parse_template
from worker.language.units import Duration, Rate, parse_duration, parse_number, parse_rate
from worker.language.values import Value
from worker.settings.problems import Severity
from worker.settings.product_schema import OLD_STATES


class Strict(BaseModel):
    """A block of a settings file: unknown keys are invalid, and nothing changes after loading.

    The text below a field is its description. `worker.settings.schema` reads it from the source, because pydantic's
    own way would make every command a second slower.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        arbitrary_types_allowed=True,
        allow_inf_nan=False,
        populate_by_name=True,
        defer_build=True,
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem that a check found in the names or the meaning of loaded settings.

    ``loc`` is the path of YAML keys and list positions, ``column`` the offset inside the text there (from 0);
    ``of_key``: the problem is the last key of ``loc``, not its value.
    """

    loc: Loc
    message: str
    column: int = 0
    severity: Severity = "error"
    of_key: bool = False


OLD_WORDS = {"subscription.status": OLD_STATES}
"""Field → a word of an earlier version, which conditions may use for one release → the words it stands for."""


class SecretInClear(ValueError):
    """A credential was written into YAML. The message does not repeat it, and no excerpt may show it."""


def _text_of(value: object, example: str) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(f"expected text such as {example}")


def _duration(value: Any) -> Duration:
    return parse_duration(_text_of(value, "3d, 24h, 2w or 5bd"))


def _window(value: Any) -> Duration:
    """``today`` is no day long: the last midnight is its start."""
    text = _text_of(value, "28d or today")
    if text.strip().lower() == "today":
        return Duration("days", 0)
    window = parse_duration(text)
    if window.kind != "days" or window.n < 1:
        raise ValueError("a window is a number of whole days, such as 28d, or today")
    return window


def _rate(value: Any) -> Rate:
    return parse_rate(_text_of(value, '"5 per day" or "2 per 365d"'))


def _expression(value: Any) -> Expression:
    return parse_expression(_text_of(value, "seats_used / seat_limit"))


def _template(value: Any) -> Template:
    return parse_template(_text_of(value, '"PQL {{pql.score}}: {{account.name}}"'))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("expected a number or a percentage such as 80%")
    return parse_number(value) if isinstance(value, str) else float(value)


def _share(value: Any) -> float:
    share = _number(value)
    if not 0 <= share <= 1:
        hint = f"; write {value}% for {value} per cent" if isinstance(value, int) and 1 < value <= 100 else ""
        raise ValueError(f"expected a share between 0% and 100%{hint}")
    return share


def _secret_ref(value: object) -> str:
    if value is None:
        raise ValueError("expected env:NAME (an environment variable) or file:PATH; nothing is written here")
    kind, _, rest = str(value).partition(":")
    if kind not in {"env", "file"}:
        raise SecretInClear(
            "a secret must not stand in a file in clear; write env:NAME (an environment variable) or file:PATH"
        )
    if not rest.strip() or rest != rest.strip():
        raise ValueError(f'"{kind}:" must be followed by a {"variable name" if kind == "env" else "path"}')
    return str(value)


def _text(parse: Callable[[Any], object], description: str, example: str, *, numbers: bool = False) -> tuple[Any, Any]:
    kinds: str | list[str] = ["string", "number"] if numbers else "string"
    schema = {"type": kinds, "description": description, "examples": [example]}
    return PlainValidator(parse), WithJsonSchema(schema)


_DURATION = _text(_duration, "A length of time: hours (24h), days (3d), weeks (2w), business days (5bd), runs.", "3d")
_RATE = _text(_rate, "So many per so long: 5 per day, 2 per 365d.", "5 per day")
_EXPRESSION = _text(
    _expression, "One field, or two fields or a number with one of + - * / between.", "mrr / seats_used"
)
_TEMPLATE = _text(
    _template, "Text in which {{field}} is filled in; an unknown value reads “unknown”.", "{{account.name}}"
)
_NUMBER = _text(_number, "A number or a percentage (80% is 0.8).", "80%", numbers=True)
_SHARE = _text(_share, "A share between 0% and 100%.", "30%", numbers=True)

_WINDOW = _text(_window, "A number of whole days that end at the last midnight, or today.", "28d")

DurationText = Annotated[Duration, *_DURATION]
"""``24h``, ``3d``, ``2w``, ``5bd`` (business days) or ``2 runs``."""

WindowText = Annotated[Duration, *_WINDOW]
"""``28d``: whole days that end at the last midnight. ``today``: the day that has begun, 0 days long."""

RateText = Annotated[Rate, *_RATE]
"""``5 per day`` or ``2 per 365d``."""

ExpressionText = Annotated[Expression, *_EXPRESSION]
TemplateText = Annotated[Template, *_TEMPLATE]

NumberText = Annotated[float, *_NUMBER]
"""Any finite number, or a percentage: ``-50%`` is -0.5."""

Percent = Annotated[float, *_SHARE]
"""A share between 0 and 1, best written ``30%``."""

CONDITION_SCHEMA: dict[str, Any] = {"type": ["string", "object"], "$comment": "condition"}
"""Stands for a condition until `worker.settings.schema` puts the recursive schema in its place."""


def condition_of(value: object, lists: Mapping[str, Sequence[Value]]) -> Condition:
    """What YAML read as a condition, with named lists and words of an earlier version. Raises LanguageError."""
    return with_synonyms(with_lists(parse_condition(value), lists), OLD_WORDS)


def _condition(value: object, info: ValidationInfo) -> Condition:
    return condition_of(value, (info.context or {}).get("lists", {}))


ConditionTree = Annotated[Condition, PlainValidator(_condition), WithJsonSchema(CONDITION_SCHEMA)]
"""One test as text, or a tree of ``all`` / ``any`` / ``not`` / ``{if, when_missing}``."""

SecretRef = Annotated[
    str,
    BeforeValidator(_secret_ref),
    WithJsonSchema({"type": "string", "pattern": "^(env|file):.+", "examples": ["env:HUBSPOT_TOKEN"]}),
]
"""Where a secret is kept, ``env:NAME`` or ``file:PATH``; never the secret itself."""
