"""A number, text or date worked out from an account's fields: a field, a function, or one operator between two."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import cast

from lark import Token, Tree

from connectors.base.values import finite_number
from worker.language.errors import LanguageError
from worker.language.grammar import parse_line
from worker.language.need import Need, unquote
from worker.language.units import parse_duration, parse_number
from worker.language.values import Fields, Value

Read = Callable[[Fields], Value]

_OPERATORS: dict[str, Callable[[int | float, int | float], int | float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_LONGEST_WINDOW = 3_660


@dataclass(frozen=True, slots=True)
class Mention:
    """A need and the column, from 0, where it stands in its text."""

    need: Need
    column: int


@dataclass(frozen=True, slots=True)
class Expression:
    """``left``, or ``left operator right`` where ``right`` is another need or a number.

    Two expressions are equal when they mean the same; ``text`` is what the author wrote.
    """

    left: Need
    operator: str = ""
    right: Need | int | float | None = None
    text: str = field(default="", compare=False)
    mentions: tuple[Mention, ...] = field(default=(), compare=False, repr=False)
    read: Read = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "read", _compile(self.left, self.operator, self.right))
        object.__setattr__(self, "text", self.text or str(self))

    def needs(self) -> frozenset[Need]:
        """Everything that has to be known for a value."""
        return frozenset({self.left, self.right} if isinstance(self.right, Need) else {self.left})

    def value(self, fields: Fields) -> Value:
        """The value; None when anything needed is unknown, not a number where one is needed, or divided by zero."""
        return self.read(fields)

    @property
    def numeric(self) -> bool:
        """Whether the value can only be a number."""
        return bool(self.operator) or self.left.kind not in {"field", "first"}

    def __str__(self) -> str:
        if not self.operator:
            return self.left.key
        return f"{self.left.key} {self.operator} {_operand_text(self.right)}"


def parse_expression(text: str) -> Expression:
    """``health.score``, ``seats_used / seat_limit`` or ``count(Signed In, 7d)``. Raises LanguageError."""
    return build_expression(parse_line(text, "expression"), text.strip())


def build_expression(tree: Tree[Token], text: str) -> Expression:
    """The expression of a lark tree; ``text`` is how the author wrote it."""
    parts = tree.children
    left, column = _operand(parts[0])
    mentions = [Mention(left, column)]
    if len(parts) == 1:
        return Expression(left, text=text, mentions=tuple(mentions))
    symbol, last = parts[1], parts[2]
    if isinstance(last, Token):
        return Expression(left, str(symbol), number_of(last), text=text, mentions=tuple(mentions))
    right, column = _operand(last)
    return Expression(left, str(symbol), right, text=text, mentions=(*mentions, Mention(right, column)))


def number_of(token: Token) -> int | float:
    """The number of a NUMBER token: whole when written whole."""
    try:
        if re.fullmatch(r"-?[0-9]{1,18}", token):
            return int(token)
        return parse_number(str(token))
    except LanguageError as problem:
        raise LanguageError(problem.message, token.start_pos or 0) from None


def number_text(number: float) -> str:
    """A number as the language writes it: no exponent."""
    text = format(Decimal(repr(number)), "f")
    return text.removesuffix(".0")


def _operand_text(operand: Need | float | None) -> str:
    return operand.key if isinstance(operand, Need) else number_text(operand or 0)


def _operand(node: Tree[Token] | Token) -> tuple[Need, int]:
    node = cast("Tree[Token]", node)
    parts = node.children
    first = cast("Token", parts[0])
    column = first.start_pos or 0
    if node.data == "field":
        return Need("field", str(first)), column
    name = first.rstrip("( \t").lower()
    if node.data == "since":
        return Need("first" if name == "first" else "days_since", _event(parts[1])), column
    if node.data == "change":
        return Need("change", str(parts[1]), _window(parts[2])), column
    return Need("users" if name == "users" else "count", _event(parts[1]), _window(parts[2])), column


def _event(node: Tree[Token] | Token) -> str:
    token = cast("Token", node.children[0] if isinstance(node, Tree) else node)
    name = unquote(token).strip() if token.type == "STRING" else str(token).strip()
    if not name:
        raise LanguageError("the name of the event is empty", token.start_pos or 0)
    return name


def _window(node: Tree[Token] | Token) -> int:
    token = cast("Token", node)
    column = token.start_pos or 0
    try:
        duration = parse_duration(token)
    except LanguageError as problem:
        raise problem.shifted(column) from None
    if duration.kind != "days":
        raise LanguageError(f'a window is whole days: write 7d or 4w, not "{token}"', column)
    if not 1 <= duration.n <= _LONGEST_WINDOW:
        raise LanguageError(f"a window is between 1 and {_LONGEST_WINDOW} days", column)
    return duration.n


def _compile(left: Need, symbol: str, right: Need | float | None) -> Read:
    key = left.key
    if not symbol:
        return lambda fields: fields.get(key)
    apply = _OPERATORS[symbol]
    if isinstance(right, Need):
        other = right.key
        return lambda fields: _apply(apply, fields.get(key), fields.get(other))
    return lambda fields: _apply(apply, fields.get(key), right)


def _apply(apply: Callable[[int | float, int | float], int | float], left: Value, right: Value) -> Value:
    if not finite_number(left) or not finite_number(right):
        return None
    try:
        result = apply(left, right)
    except (ZeroDivisionError, OverflowError):
        return None
    return result if finite_number(result) else None
