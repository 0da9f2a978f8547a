"""Parses the part of SOQL that the sandbox supports; rejects everything else as MALFORMED_QUERY.

https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select.htm
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from itertools import chain
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken, v_args

from connectors.sandbox.salesforce.errors import RequestRejected, rejected_at
from connectors.sandbox.salesforce.values import parse_moment, stamp

_GRAMMAR = r"""
query: _SELECT selection _FROM NAME [_WHERE condition] [_ORDER _BY orders] [_LIMIT INT] [_OFFSET INT]
selection: _COUNT "(" ")" | path ("," path)*
orders: order ("," order)*
order: path [DIRECTION] [_NULLS NULLS_END]
?condition: factor | factor (_AND factor)+ -> all_of | factor (_OR factor)+ -> any_of
?factor: _NOT factor -> negation | "(" condition ")"
    | path (SIGN | LIKE) literal -> comparison
    | path IN "(" literals ")" -> membership
literals: _item ("," _item)*
_item: literal | strings
strings: STRINGS
path: NAME
?literal: STRING -> string | NUMBER -> number | DATE -> day | DATETIME -> moment | BOOLEAN -> boolean | NULL -> null
    | DAY -> named | DAYS ":" INT -> named

STRINGS.2: /'(?:\\.|[^'\\])*'(?:\s*,\s*'(?:\\.|[^'\\])*')+/
STRING: /'(?:\\.|[^'\\])*'/
DATETIME.4: /\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2})/
DATE.3: /\d{4}-\d{2}-\d{2}/
NUMBER.2: /[+-]?\d+(?:\.\d+)?/
INT: /\d+/
NAME: /[A-Za-z_]\w*(?:\.\w+)*/
SIGN: /<=|>=|!=|<>|[=<>]/
_COUNT.2: /count(?=\s*\(\s*\))/i
%ignore /\s+/
"""
_KEYWORDS = {
    **{f"_{word.upper()}": word for word in ("select", "from", "where", "and", "or", "order", "by", "nulls")},
    "_LIMIT": "limit",
    "_OFFSET": "offset",
    "_NOT.2": "not",
    "LIKE": "like",
    "IN": r"(?:not\s+)?in",
    "DIRECTION": "asc|desc",
    "NULLS_END": "first|last",
    "BOOLEAN": "true|false",
    "NULL": "null",
    "DAY": "today|yesterday|tomorrow",
    "DAYS": "last_n_days|next_n_days|n_days_ago",
}
"""The terminals that are words; SOQL ignores their case."""
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "_": "\\_", "%": "\\%"}
_STRING = re.compile(r"'(?:\\.|[^'\\])*'")
_MOST_DAYS = 100_000
_MOST_SKIPPED = 2000


@dataclass(frozen=True, slots=True)
class Path:
    """A field, perhaps of a parent: ``("Account", "Name")``."""

    names: tuple[str, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A value, dates and datetimes as they are stored.

    ``kind`` is string, number, boolean, null, date, datetime, or named (TODAY, LAST_N_DAYS) with ``n`` days.
    """

    kind: str
    value: Any
    n: int = 0


@dataclass(frozen=True, slots=True)
class Compare:
    """``path op literals``; ``op`` is one of the signs, ``like``, ``in`` or ``not in``."""

    path: Path
    op: str
    literals: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Logic:
    """``and``, ``or`` or ``not`` of conditions."""

    op: str
    parts: tuple[Condition, ...]


Condition = Compare | Logic


@dataclass(frozen=True, slots=True)
class Order:
    """One ORDER BY item."""

    path: Path
    descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A parsed query. ``paths`` is empty for ``SELECT count()``."""

    text: str
    object: str
    object_at: int
    paths: tuple[Path, ...]
    where: Condition | None
    order: tuple[Order, ...]
    limit: int | None
    offset: int


@lru_cache(maxsize=256)
def parse(text: str) -> Query:
    """A whole query. Raises `RequestRejected` MALFORMED_QUERY."""
    query: Query = _parse(text, "query")
    return replace(query, text=text)


@lru_cache(maxsize=256)
def parse_condition(text: str) -> Condition:
    """A condition as it follows WHERE. Raises `RequestRejected` MALFORMED_QUERY."""
    condition: Condition = _parse(text, "condition")
    return condition


def _parse(text: str, start: str) -> Any:
    try:
        return _PARSER.parse(text, start)
    except UnexpectedCharacters as problem:
        at, unexpected = problem.pos_in_stream or 0, text[problem.pos_in_stream or 0]
    except (UnexpectedToken, _InvalidMoment) as problem:
        token: Token = problem.token
        at, unexpected = token.start_pos or 0, str(token)
        if token.type == "$END":
            at, unexpected = len(text.rstrip()), "<EOF>"
    raise rejected_at(text, at, "MALFORMED_QUERY", f"unexpected token: '{unexpected}'")


class _InvalidMoment(Exception):
    """A date or a datetime that the calendar does not have."""

    def __init__(self, token: Token) -> None:
        super().__init__(token)
        self.token = token


def _string(quoted: str) -> Literal:
    text = quoted[1:-1]
    if "\\" in text:
        text = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found.group(1), found.group(1)), text)
    return Literal("string", text)


@v_args(inline=True)
class _Ast(Transformer[Token, Query]):
    """Builds the query while lark parses; the name of each method is a rule or alias of the grammar."""

    def query(
        self,
        paths: tuple[Path, ...],
        target: Token,
        where: Condition | None,
        order: tuple[Order, ...] | None,
        limit: Token | None,
        offset: Token | None,
    ) -> Query:
        if offset and int(offset) > _MOST_SKIPPED:
            raise RequestRejected("NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {_MOST_SKIPPED}", None)
        return Query(
            text="",
            object=str(target),
            object_at=target.start_pos or 0,
            paths=paths,
            where=where,
            order=order or (),
            limit=int(limit) if limit else None,
            offset=int(offset or 0),
        )

    def selection(self, *paths: Path) -> tuple[Path, ...]:
        return paths

    def orders(self, *orders: Order) -> tuple[Order, ...]:
        return orders

    def literals(self, *items: Literal | list[Literal]) -> tuple[Literal, ...]:
        return tuple(chain.from_iterable(item if isinstance(item, list) else [item] for item in items))

    def strings(self, token: Token) -> list[Literal]:
        return [_string(one) for one in _STRING.findall(token)]

    def path(self, name: Token) -> Path:
        return Path(tuple(name.split(".")), name.start_pos or 0)

    def order(self, path: Path, direction: Token | None, nulls: Token | None) -> Order:
        return Order(path, (direction or "").lower() == "desc", (nulls or "").lower() == "last")

    def all_of(self, *parts: Condition) -> Logic:
        return Logic("and", parts)

    def any_of(self, *parts: Condition) -> Logic:
        return Logic("or", parts)

    def negation(self, part: Condition) -> Logic:
        return Logic("not", (part,))

    def comparison(self, path: Path, sign: Token, literal: Literal) -> Compare:
        return Compare(path, "!=" if sign == "<>" else sign.lower(), (literal,))

    def membership(self, path: Path, sign: Token, literals: tuple[Literal, ...]) -> Compare:
        return Compare(path, " ".join(sign.lower().split()), literals)

    def string(self, token: Token) -> Literal:
        return _string(token)

    def number(self, token: Token) -> Literal:
        return Literal("number", float(token))

    def boolean(self, token: Token) -> Literal:
        return Literal("boolean", token.lower() == "true")

    def null(self, _token: Token) -> Literal:
        return Literal("null", None)

    def named(self, word: Token, days: str = "0") -> Literal:
        return Literal("named", word.lower(), min(int(days), _MOST_DAYS))

    def day(self, token: Token) -> Literal:
        try:
            return Literal("date", date.fromisoformat(token).isoformat())
        except ValueError:
            raise _InvalidMoment(token) from None

    def moment(self, token: Token) -> Literal:
        try:
            return Literal("datetime", stamp(parse_moment(token)))
        except (ValueError, OverflowError):
            raise _InvalidMoment(token) from None


_TERMINALS = "".join(rf"{name}: /(?:{words})(?![\w.])/i" + "\n" for name, words in _KEYWORDS.items())
_PARSER = Lark(_GRAMMAR + _TERMINALS, start=["query", "condition"], parser="lalr", transformer=_Ast())
