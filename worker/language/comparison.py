"""One test: an expression and what it is compared with."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import cast

from lark import Token, Tree

from worker.language.errors import LanguageError
from worker.language.expression import Expression, build_expression, number_of, number_text
from worker.language.grammar import parse_line
from worker.language.hints import not_a_text
from worker.language.need import quote
from worker.language.operators import Kind, Op, Predicate, Truth, comparable, compile_test, kind_of
from worker.language.suggest import suggestion
from worker.language.units import parse_duration
from worker.language.values import Fields, Value, as_utc

_BARE_TEXT = re.compile(r"[^\W\d][\w.@+-]*")
_DAYS_OF = {"hours": 1 / 24, "days": 1}
_NAMES: dict[Kind, str] = {
    "number": "a number",
    "text": "a text",
    "bool": "true/false",
    "date": "a date",
    "datetime": "a time",
}


_OF_SEVERAL: dict[Op, Op] = {"is": "in", "is not": "not in"}


@dataclass(frozen=True, slots=True)
class Literal:
    """A value written in a test, and the column where it stands."""

    value: Value
    column: int = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """``expression op values``. Lines are equal when they mean the same; ``text`` is what the author wrote.

    ``listed`` is the name of a list of the project whose values these are; until `with_list` gives them there are none.
    """

    expression: Expression
    op: Op
    values: tuple[Value, ...] = ()
    kind: Kind | None = None
    text: str = field(default="", compare=False)
    columns: tuple[int, ...] = field(default=(), compare=False, repr=False)
    synonyms: tuple[Value, ...] = field(default=(), compare=False, repr=False)
    """More values, of the same kind, that the written ones stand for."""
    listed: str = field(default="", compare=False)
    run: Predicate = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        op, values = self.op, self.values
        if self.synonyms:
            op, values = _OF_SEVERAL.get(op, op), (*values, *self.synonyms)
        named_only = self.listed and not values
        run = _unknown if named_only else compile_test(self.expression.read, op, values, self.kind)
        object.__setattr__(self, "run", run)
        object.__setattr__(self, "text", self.text or str(self))

    def incomparable(self, value: Value) -> str:
        """Why ``value``, though known, cannot be compared; empty when it can."""
        if value is None or self.kind is None or comparable(value, self.kind):
            return ""
        return f"{self.expression} is {_NAMES[kind_of(value)]}, compared with {_NAMES[self.kind]}"

    def __str__(self) -> str:
        shown = [_literal_text(value) for value in self.values]
        if self.listed and not shown:
            return f"{self.expression} {self.op} {self.listed}"
        if self.op in {"in", "not in"}:
            return f"{self.expression} {self.op} [{', '.join(shown)}]"
        if self.op == "between":
            return f"{self.expression} between {shown[0]} and {shown[1]}"
        return " ".join([str(self.expression), self.op, *shown])


def _unknown(fields: Fields) -> Truth:  # noqa: ARG001 - one shape for all predicates
    return None


def with_list(comparison: Comparison, lists: Mapping[str, Sequence[Value]]) -> Comparison:
    """The same test with the values of the list it names; without them where that list cannot be used.

    Raises LanguageError with the column in its text.
    """
    column = comparison.columns[0]
    values = lists.get(comparison.listed)
    if values is None:
        near = suggestion(comparison.listed, lists, "; values go into square brackets: plan in [pro, enterprise]")
        message = f'there is no list "{comparison.listed}" under lists: in config/product.yaml'
        raise LanguageError(f"{message}{near}", column)
    if not values:
        return comparison
    literals = [Literal(value, column) for value in values]
    kind = _one_kind(literals)
    _check(comparison.expression, comparison.op, literals, kind)
    return replace(comparison, values=tuple(values), kind=kind, columns=(column,) * len(literals))


def check_values(comparison: Comparison, lists: Collection[str]) -> None:
    """Raise LanguageError where a bare text is the name of a list: ``plan is paying_plans`` never holds."""
    for value, column in zip(comparison.values, comparison.columns, strict=True):
        if isinstance(value, str) and value in lists and comparison.text.startswith(value, column):
            instead = f"{comparison.expression} {_OF_SEVERAL.get(comparison.op, comparison.op)} {value}"
            raise LanguageError(f'"{value}" is a list: write "{instead}", or put quotes around the text', column)


def parse_comparison(text: str) -> Comparison:
    """The one test of ``text``. Raises LanguageError with the column in ``text``."""
    expression_tree, relation = cast("list[Tree[Token]]", parse_line(text, "test").children)
    end = expression_tree.meta.end_pos
    expression = build_expression(expression_tree, text[expression_tree.meta.start_pos : end])
    op, literals = _relation(relation)
    named = next((token for token in relation.children if isinstance(token, Token) and token.type == "WORD"), None)
    kind = _one_kind(literals) if literals else None
    _check(expression, op, literals, kind)
    return Comparison(
        expression=expression,
        op=op,
        values=tuple(literal.value for literal in literals),
        kind=kind,
        text=text.strip(),
        columns=tuple(literal.column for literal in literals) if named is None else (named.start_pos or 0,),
        listed=str(named or ""),
    )


_RELATIONS: dict[str, Op] = {
    "is_not": "is not",
    "is_missing": "is missing",
    "is_known": "is known",
    "is_in": "in",
    "not_in": "not in",
    "between": "between",
}
_COMPARE: dict[str, Op] = {"=": "is", "!=": "is not", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def _relation(tree: Tree[Token]) -> tuple[Op, list[Literal]]:
    op = _RELATIONS.get(tree.data)
    if op is None:
        symbol = str(tree.children[0])
        op = _COMPARE.get(symbol, "is")
    negated = op in {"is not", "not in"}
    return op, [_literal(token, negated) for token in _literal_tokens(tree)]


def _literal_tokens(tree: Tree[Token]) -> list[Token]:
    found = tree.find_pred(lambda node: node.data == "literal")
    tokens = [node.children[0] for node in found]
    return sorted((token for token in tokens if isinstance(token, Token)), key=lambda token: token.start_pos or 0)


def _literal(token: Token, negated: bool) -> Literal:
    column = token.start_pos or 0
    try:
        return Literal(_value(token, negated), column)
    except LanguageError as problem:
        raise LanguageError(problem.message, column) from None


def _value(token: Token, negated: bool) -> Value:
    text = str(token)
    match token.type:
        case "TRUE" | "FALSE":
            return token.type == "TRUE"
        case "NUMBER":
            return number_of(token)
        case "DATE" | "DATETIME":
            return _moment(text, whole_day=token.type == "DATE")
        case "DURATION":
            return _days(text)
        case "STRING":
            return re.sub(r"\\(.)", r"\1", text[1:-1])
    problem_text = not_a_text(text, negated=negated)
    if problem_text:
        raise LanguageError(problem_text)
    return text


def _moment(text: str, *, whole_day: bool) -> date | datetime:
    try:
        return date.fromisoformat(text) if whole_day else as_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise LanguageError(f'"{text}" is not a date of the calendar; write 2026-01-31') from None


def _days(text: str) -> int | float:
    """A length of time among values counts days, so that ``account.age_days >= 8w`` reads as it is meant."""
    duration = parse_duration(text)
    if duration.kind not in _DAYS_OF:
        raise LanguageError(f'"{text}" cannot be compared with; a length of time here is hours, days or weeks')
    days = duration.n * _DAYS_OF[duration.kind]
    return int(days) if float(days).is_integer() else days


def _one_kind(literals: list[Literal]) -> Kind:
    first = kind_of(literals[0].value)
    for literal in literals[1:]:
        kind = kind_of(literal.value)
        if kind != first:
            message = f"all values of a test are of one kind, but here are {_NAMES[first]} and {_NAMES[kind]}"
            raise LanguageError(message, literal.column)
    return first


def _check(expression: Expression, op: Op, literals: list[Literal], kind: Kind | None) -> None:
    """Finds what is wrong with a comparison whatever the values of an account are. Raises LanguageError."""
    if kind is None:
        return
    column = literals[0].column
    shown = _literal_text(literals[0].value)
    if op in {"<", "<=", ">", ">=", "between"} and kind in {"text", "bool"}:
        hint = f"; to compare two fields, test their difference: {expression} - {shown} {op} 0"
        bare = kind == "text" and not expression.operator and not shown.startswith('"') and op != "between"
        raise LanguageError(f'"{op}" compares numbers or dates, not {_NAMES[kind]}{hint if bare else ""}', column)
    if expression.numeric and kind != "number":
        raise LanguageError(f"{expression} is a number and cannot be compared with {_NAMES[kind]}", column)
    if op == "between" and literals[0].value > literals[1].value:  # type: ignore[operator]  # one kind, and ordered
        raise LanguageError(
            f"between goes from low to high: between {_literal_text(literals[1].value)} and {shown}", column
        )


def _literal_text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    return _text_literal(str(value))


_KEYWORDS = {"true", "false", "not", "missing", "known"}


def _text_literal(text: str) -> str:
    bare = _BARE_TEXT.fullmatch(text) and text.casefold() not in _KEYWORDS and not not_a_text(text, negated=False)
    return text if bare else quote(text)
